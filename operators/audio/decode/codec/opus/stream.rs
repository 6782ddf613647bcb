//! A stream of one channel or two. Ours decodes what is all CELT, as music is; libopus does the rest.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use opusic_c::{Decoder, SampleRate};
use symphonia::core::errors::{Result, decode_error};

use super::celt::{Celt, Frame};
use super::packet;

/// The longest packet in frames: 120 ms.
pub(super) const FRAMES: usize = 5760;

/// Packets that are kept for libopus. Of the shortest frames one tells nine tenths of the next's amplitudes:
/// after as many it tells a millionth.
const RECENT: usize = 131;

/// What is kept of them has fewer bytes. Longer packets are mostly padding.
const KEPT: usize = 1 << 16;

/// Decodes a stream.
pub(super) struct Stream {
    channels: usize,
    celt: Celt,
    /// The last packets, with which libopus begins where it has to.
    recent: VecDeque<Vec<u8>>,
    libopus: Option<Libopus>,
    /// Where the frames of a packet lie.
    frames: Vec<Range<usize>>,
    decoded: [Vec<f32>; 2],
}

impl Stream {
    /// A decoder of a stream. Of one with two channels it gives their mean where one is asked for.
    pub(super) fn new(channels: usize) -> Self {
        Self {
            channels,
            celt: Celt::new(channels),
            recent: VecDeque::new(),
            libopus: None,
            frames: Vec::new(),
            decoded: [vec![0.0; FRAMES], vec![0.0; if channels == 2 { FRAMES } else { 0 }]],
        }
    }

    /// Channels that are given.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// What was decoded of a channel; of the last packet, and behind it of others.
    pub(super) fn decoded(&self, channel: usize) -> &[f32] {
        &self.decoded[channel]
    }

    #[cfg(test)]
    pub(super) fn is_libopus(&self) -> bool {
        self.libopus.is_some()
    }

    /// Forgets what came before.
    pub(super) fn reset(&mut self) {
        self.celt.reset();
        self.recent.clear();
        self.libopus = None;
    }

    /// Decodes a packet that is not empty: how many frames it has.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.libopus.is_none() {
            let frame = Frame::of(bytes[0]);
            let found = frame.map(|frame| packet::frames(bytes, 1 << frame.size(), &mut self.frames));
            match frame.zip(found) {
                Some((_, None)) => return damaged(),
                // A frame of fewer bytes is one that was not sent.
                Some((frame, Some(()))) if self.frames.iter().all(|range| range.len() >= 2) => {
                    self.keep(bytes);
                    return self.celt(frame, bytes);
                }
                _ => self.libopus = Some(Libopus::new(self.channels, &self.recent)?),
            }
            self.recent.clear();
        }
        match &mut self.libopus {
            Some(libopus) => libopus.decode(bytes, &mut self.decoded),
            None => damaged(),
        }
    }

    fn celt(&mut self, frame: Frame, bytes: &[u8]) -> Result<usize> {
        let [first, second] = &mut self.decoded;
        let mut at = 0;
        for range in &self.frames {
            let to = at + frame.length();
            let out = [&mut first[at..to], if self.channels == 2 { &mut second[at..to] } else { &mut [] }];
            if self.celt.decode(frame, &bytes[range.clone()], out).is_none() {
                return damaged();
            }
            at = to;
        }
        Ok(at)
    }

    fn keep(&mut self, bytes: &[u8]) {
        if bytes.len() > KEPT {
            return;
        }
        let mut packet =
            if self.recent.len() < RECENT { Vec::new() } else { self.recent.pop_front().unwrap_or_default() };
        packet.clear();
        packet.extend_from_slice(bytes);
        self.recent.push_back(packet);
    }
}

fn damaged<T>() -> Result<T> {
    decode_error("opus: the packet is damaged")
}

/// A decoder of libopus.
struct Libopus {
    /// Never locked: symphonia wants decoders to be shared, and libopus's is not.
    decoder: Mutex<Decoder>,
    channels: usize,
    /// What it gives of a packet, one channel beside the other.
    decoded: Vec<f32>,
}

impl Libopus {
    /// A decoder that has decoded `before`.
    fn new(channels: usize, before: &VecDeque<Vec<u8>>) -> Result<Self> {
        let kind = if channels == 2 { opusic_c::Channels::Stereo } else { opusic_c::Channels::Mono };
        let decoder = Decoder::new(kind, SampleRate::Hz48000).and_then(|mut decoder| {
            // For one channel libopus would leave out that bands may be opposite, and give no mean.
            decoder.set_phase_inversion_disabled(false)?;
            Ok(decoder)
        });
        let Ok(decoder) = decoder else { return decode_error("opus: there is no memory for a decoder") };
        let mut libopus =
            Self { decoder: Mutex::new(decoder), channels, decoded: vec![0.0; channels * FRAMES] };
        for packet in before {
            // What is damaged was so before.
            _ = libopus.frames(packet);
        }
        Ok(libopus)
    }

    fn frames(&mut self, bytes: &[u8]) -> Option<usize> {
        let decoder = self.decoder.get_mut().unwrap_or_else(PoisonError::into_inner);
        decoder.decode_float_to_slice(bytes, &mut self.decoded, false).ok()
    }

    fn decode(&mut self, bytes: &[u8], decoded: &mut [Vec<f32>; 2]) -> Result<usize> {
        let Some(frames) = self.frames(bytes) else { return damaged() };
        for (channel, decoded) in decoded.iter_mut().enumerate().take(self.channels) {
            let from = self.decoded[channel..].iter().step_by(self.channels);
            decoded[..frames].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
        Ok(frames)
    }
}
