//! Samples that are stored as they are, read without a decoder between.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

use super::{Channels, mix};

/// How one sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    U8,
    I8,
    I16,
    I24,
    I32,
    F32,
    F64,
    ALaw,
    MuLaw,
}

impl Sample {
    /// Bytes.
    pub(super) fn width(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::ALaw | Self::MuLaw => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Integers of that many bits; WAV has those of one byte without a sign.
    pub(super) fn integer(bits: u32, signed: bool) -> Option<Self> {
        match bits {
            1..=8 if signed => Some(Self::I8),
            1..=8 => Some(Self::U8),
            9..=16 => Some(Self::I16),
            17..=24 => Some(Self::I24),
            25..=32 => Some(Self::I32),
            _ => None,
        }
    }

    /// Floats of that many bits.
    pub(super) fn float(bits: u32) -> Option<Self> {
        match bits {
            32 => Some(Self::F32),
            64 => Some(Self::F64),
            _ => None,
        }
    }

    /// The name of the codec.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::U8 => "pcm_u8",
            Self::I8 => "pcm_s8",
            Self::I16 => "pcm_s16",
            Self::I24 => "pcm_s24",
            Self::I32 => "pcm_s32",
            Self::F32 => "pcm_f32",
            Self::F64 => "pcm_f64",
            Self::ALaw => "pcm_alaw",
            Self::MuLaw => "pcm_mulaw",
        }
    }
}

/// Where the samples of a file are and how they are stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pcm {
    pub(super) container: &'static str,
    pub(super) sample: Sample,
    /// Bytes from one sample to the next, which may be more than a sample takes.
    pub(super) stride: usize,
    /// Whether the most significant byte comes first.
    pub(super) big: bool,
    pub(super) channels: u16,
    pub(super) rate: u32,
    pub(super) bits: u32,
    /// The first byte of the samples, and the one behind the last as the header says.
    pub(super) from: u64,
    /// None when the header does not know.
    pub(super) to: Option<u64>,
    pub(super) tags: Vec<(String, String)>,
}

impl Pcm {
    /// Bytes of a frame.
    pub(super) fn frame(&self) -> usize {
        self.stride * usize::from(self.channels)
    }

    /// Frames that the header promises.
    pub(super) fn promised(&self) -> Option<u64> {
        self.to.map(|to| to.saturating_sub(self.from) / (self.frame() as u64).max(1))
    }
}

/// Bytes that are read at a time.
const BUFFER: usize = 64 << 10;

/// Reads samples.
pub(super) struct Reader {
    source: Box<dyn MediaSource>,
    pub(super) pcm: Pcm,
    wanted: Channels,
    buffer: Vec<u8>,
    /// All channels, where not all are wanted.
    all: Vec<Vec<f32>>,
    /// Bytes of samples that are left.
    left: u64,
}

impl Reader {
    pub(super) fn new(mut source: Box<dyn MediaSource>, pcm: Pcm, wanted: Channels) -> io::Result<Self> {
        source.seek(SeekFrom::Start(pcm.from))?;
        let frames = (BUFFER / pcm.frame().max(1)).max(1);
        let left = pcm.to.map_or(u64::MAX, |to| to.saturating_sub(pcm.from));
        Ok(Self { source, wanted, buffer: vec![0; frames * pcm.frame()], all: Vec::new(), left, pcm })
    }

    /// Goes to a frame, at most to the end.
    pub(super) fn seek(&mut self, frame: u64) -> io::Result<()> {
        let size = self.pcm.frame() as u64;
        let all = self.pcm.to.map_or(u64::MAX, |to| to.saturating_sub(self.pcm.from));
        let bytes = frame.saturating_mul(size).min(all / size * size);
        self.source.seek(SeekFrom::Start(self.pcm.from.saturating_add(bytes)))?;
        self.left = all - bytes;
        Ok(())
    }

    /// Frames that the header promises and that are not there, once the end has been reached.
    pub(super) fn missing(&self) -> u64 {
        let promised = self.pcm.to.is_some();
        if promised { self.left / self.pcm.frame() as u64 } else { 0 }
    }

    /// Reads the next frames: how many, 0 at the end, and how many samples were not finite.
    pub(super) fn read(&mut self, planes: &mut Vec<Vec<f32>>) -> io::Result<(usize, u64)> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.buffer.len());
        let mut filled = 0;
        while filled < most {
            match self.source.read(&mut self.buffer[filled..most]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.left -= filled as u64;
        let frame = self.pcm.frame();
        let frames = filled / frame;
        if filled < most {
            // Part of a frame at the end of the file is none.
            self.left += (filled % frame) as u64;
        }
        let bytes = &self.buffer[..frames * frame];
        let few = self.wanted != Channels::Keep && self.pcm.channels > 1;
        let usual = self.pcm.sample == Sample::I16 && self.pcm.stride == 2 && !self.pcm.big;
        if usual && self.pcm.channels == 2 && self.wanted == Channels::Mono {
            planes.resize_with(1, Vec::new);
            mean(bytes, &mut planes[0]);
            return Ok((frames, 0));
        }
        let all = if few { &mut self.all } else { &mut *planes };
        all.resize(usize::from(self.pcm.channels), Vec::new());
        all.iter_mut().for_each(|plane| plane.resize(frames, 0.0));
        match all.as_mut_slice() {
            [left, right] if usual => stereo(bytes, left, right),
            all => {
                for (channel, plane) in all.iter_mut().enumerate() {
                    convert(&self.pcm, bytes, channel * self.pcm.stride, plane);
                }
            }
        }
        let not_finite = match self.pcm.sample {
            _ if few => mix::mixed(&self.all, self.wanted, planes),
            Sample::F32 | Sample::F64 => mix::clean(planes),
            _ => 0,
        };
        Ok((frames, not_finite))
    }
}

/// What most files hold, in one pass over the bytes.
fn stereo(bytes: &[u8], left: &mut [f32], right: &mut [f32]) {
    let (frames, _) = bytes.as_chunks::<4>();
    for ((frame, left), right) in frames.iter().zip(left).zip(right) {
        let both = i32::from_le_bytes(*frame);
        *left = f32::from(both as i16) / 32_768.0;
        *right = f32::from((both >> 16) as i16) / 32_768.0;
    }
}

/// The mean of both channels of the same.
fn mean(bytes: &[u8], plane: &mut Vec<f32>) {
    let (frames, _) = bytes.as_chunks::<4>();
    plane.clear();
    plane.extend(frames.iter().map(|frame| {
        let both = i32::from_le_bytes(*frame);
        (i32::from(both as i16) + (both >> 16)) as f32 / 65_536.0
    }));
}

/// The samples of one channel, the first of which begins at byte `first`.
fn convert(pcm: &Pcm, bytes: &[u8], first: usize, plane: &mut [f32]) {
    let each = Each { bytes, first, frame: pcm.frame(), big: pcm.big };
    match pcm.sample {
        Sample::U8 => each.fill(plane, |[byte]: [u8; 1]| (f32::from(byte) - 128.0) / 128.0),
        Sample::I8 => each.fill(plane, |[byte]: [u8; 1]| f32::from(byte as i8) / 128.0),
        Sample::I16 => each.fill(plane, |bytes| f32::from(i16::from_le_bytes(bytes)) / 32_768.0),
        Sample::I24 => each.fill(plane, |[low, middle, high]: [u8; 3]| {
            i32::from_le_bytes([0, low, middle, high]) as f32 / 2_147_483_648.0
        }),
        Sample::I32 => each.fill(plane, |bytes| i32::from_le_bytes(bytes) as f32 / 2_147_483_648.0),
        Sample::F32 => each.fill(plane, f32::from_le_bytes),
        Sample::F64 => each.fill(plane, |bytes| f64::from_le_bytes(bytes) as f32),
        Sample::ALaw => each.fill(plane, |[byte]: [u8; 1]| f32::from(a_law(byte)) / 32_768.0),
        Sample::MuLaw => each.fill(plane, |[byte]: [u8; 1]| f32::from(mu_law(byte)) / 32_768.0),
    }
}

/// The samples of one channel as bytes.
struct Each<'a> {
    bytes: &'a [u8],
    first: usize,
    frame: usize,
    big: bool,
}

impl Each<'_> {
    /// `value` gets the least significant byte first.
    fn fill<const WIDTH: usize>(&self, plane: &mut [f32], value: impl Fn([u8; WIDTH]) -> f32) {
        if self.frame == WIDTH && !self.big {
            // One channel, sample behind sample: the compiler takes several at once.
            let (samples, _) = self.bytes.as_chunks::<WIDTH>();
            plane.iter_mut().zip(samples).for_each(|(sample, bytes)| *sample = value(*bytes));
            return;
        }
        let samples = plane.iter_mut().zip(self.bytes.chunks_exact(self.frame));
        for (sample, frame) in samples {
            if let Some(bytes) = frame[self.first..].first_chunk::<WIDTH>() {
                let mut bytes = *bytes;
                if self.big {
                    bytes.reverse();
                }
                *sample = value(bytes);
            }
        }
    }
}

/// ITU-T G.711: a sign, three bits of exponent, four of mantissa, every other bit inverted.
fn a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = (u32::from(byte >> 4 & 7), i16::from(byte & 15));
    let step = mantissa << 4;
    let value = if exponent == 0 { step + 8 } else { (step + 0x108) << (exponent - 1) };
    if byte & 0x80 == 0 { -value } else { value }
}

/// ITU-T G.711: as above, all bits inverted, and a bias of 33 (here times 4).
fn mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let (exponent, mantissa) = (u32::from(byte >> 4 & 7), i16::from(byte & 15));
    let value = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if byte & 0x80 == 0 { value } else { -value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn pcm(sample: Sample, channels: u16, bytes: usize) -> Pcm {
        Pcm {
            container: "wav",
            sample,
            stride: sample.width(),
            big: false,
            channels,
            rate: 8000,
            bits: 8 * sample.width() as u32,
            from: 0,
            to: Some(bytes as u64),
            tags: Vec::new(),
        }
    }

    fn read_some(pcm: Pcm, bytes: &[u8], wanted: Channels) -> (Vec<Vec<f32>>, u64) {
        let mut reader = Reader::new(Box::new(Cursor::new(bytes.to_vec())), pcm, wanted).unwrap();
        let mut planes = Vec::new();
        let (_, not_finite) = reader.read(&mut planes).unwrap();
        (planes, not_finite)
    }

    fn read(pcm: Pcm, bytes: &[u8]) -> Vec<Vec<f32>> {
        read_some(pcm, bytes, Channels::Keep).0
    }

    #[test]
    fn samples_of_every_kind_reach_full_scale() {
        let cases: [(Sample, &[u8], [f32; 2]); 6] = [
            (Sample::U8, &[0, 255], [-1.0, 127.0 / 128.0]),
            (Sample::I8, &[0x80, 0x7f], [-1.0, 127.0 / 128.0]),
            (Sample::I16, &[0, 0x80, 0xff, 0x7f], [-1.0, 32_767.0 / 32_768.0]),
            (Sample::I24, &[0, 0, 0x80, 0xff, 0xff, 0x7f], [-1.0, 8_388_607.0 / 8_388_608.0]),
            (Sample::ALaw, &[0x2a, 0xaa], [-32_256.0 / 32_768.0, 32_256.0 / 32_768.0]),
            (Sample::MuLaw, &[0x00, 0x80], [-32_124.0 / 32_768.0, 32_124.0 / 32_768.0]),
        ];
        for (sample, bytes, expected) in cases {
            assert_eq!(read(pcm(sample, 1, bytes.len()), bytes), [expected], "{sample:?}");
        }
        let bytes: Vec<u8> = [-1.0f64, 0.5].iter().flat_map(|value| value.to_be_bytes()).collect();
        let big = Pcm { big: true, ..pcm(Sample::F64, 1, 16) };
        assert_eq!(read(big, &bytes), [[-1.0, 0.5]]);
    }

    #[test]
    fn channels_are_separated_and_half_a_frame_is_left_out() {
        let bytes = [0x00, 0x40, 0x00, 0xc0, 0x00, 0x20, 0x00, 0xe0, 0x11];
        assert_eq!(read(pcm(Sample::I16, 2, 9), &bytes), [[0.5, 0.25], [-0.5, -0.25]]);
    }

    #[test]
    fn only_what_is_wanted_is_given() {
        let bytes = [0x00, 0x40, 0x00, 0xc0, 0x00, 0x20, 0x01, 0x20];
        let big: Vec<u8> = bytes.chunks(2).flat_map(|sample| [sample[1], sample[0]]).collect();
        let (little, other) = (pcm(Sample::I16, 2, 8), Pcm { big: true, ..pcm(Sample::I16, 2, 8) });
        for (pcm, bytes) in [(little, &bytes[..]), (other, &big)] {
            let mono = read_some(pcm.clone(), bytes, Channels::Mono).0;
            assert_eq!(mono, [[0.0, 0.25 + 1.0 / 65_536.0]]);
            assert_eq!(read_some(pcm, bytes, Channels::First).0, [[0.5, 0.25]]);
        }
        let bytes: Vec<u8> = [f32::NAN, 1.0, 0.5, 0.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let floats = pcm(Sample::F32, 2, 16);
        assert_eq!(read_some(floats.clone(), &bytes, Channels::Mono), (vec![vec![0.5, 0.25]], 1));
        assert_eq!(read_some(floats, &bytes, Channels::Keep).1, 1);
    }

    #[test]
    fn samples_may_take_more_bytes_than_they_need() {
        let bytes = [0, 0, 0x40, 0xff, 0, 0, 0xc0, 0xff];
        let wide = Pcm { stride: 4, ..pcm(Sample::I24, 1, 8) };
        assert_eq!(read(wide, &bytes), [[0.5, -0.5]]);
    }

    #[test]
    fn a_claimed_length_costs_nothing() {
        let claims = Pcm { to: Some(u64::MAX), ..pcm(Sample::I16, 1, 0) };
        assert_eq!(read(claims, &[0, 0x40]), [[0.5]]);
    }

    #[test]
    fn seeking_goes_to_a_frame_and_never_behind_the_end() {
        let bytes: Vec<u8> = (0..8i16).flat_map(|sample| (sample * 4096).to_le_bytes()).collect();
        let mut reader =
            Reader::new(Box::new(Cursor::new(bytes.clone())), pcm(Sample::I16, 2, 16), Channels::Keep)
                .unwrap();
        let mut planes = Vec::new();
        reader.seek(3).unwrap();
        assert_eq!(reader.read(&mut planes).unwrap(), (1, 0));
        assert_eq!(planes, [[0.75], [0.875]]);
        reader.seek(100).unwrap();
        assert_eq!(reader.read(&mut planes).unwrap().0, 0);
    }
}
