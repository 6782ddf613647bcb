//! MP3 by nanomp3, as one of symphonia's decoders: a third faster than symphonia's own.

use nanomp3_core::{DecodeError, Decoder, FrameInfo, MAX_SAMPLES_PER_FRAME};
use symphonia::core::audio::layouts::{CHANNEL_LAYOUT_MONO, CHANNEL_LAYOUT_STEREO};
use symphonia::core::audio::{
    AsGenericAudioBufferRef, Audio, AudioBuffer, AudioMut, AudioSpec, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_MP3;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult,
};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Result, decode_error};
use symphonia::core::packet::PacketRef;

const CODECS: &[SupportedAudioCodec] = &[SupportedAudioCodec {
    id: CODEC_ID_MP3,
    info: CodecInfo { short_name: "mp3", long_name: "MPEG Audio Layer 3", profiles: &[] },
}];

/// Frames of an MPEG-1 frame; half as many of MPEG-2.
const FRAMES: usize = MAX_SAMPLES_PER_FRAME / 2;

/// Decodes MP3, a frame a packet.
pub struct Mp3 {
    parameters: AudioCodecParameters,
    gapless: bool,
    decoder: Box<Decoder>,
    interleaved: Vec<f32>,
    buffer: AudioBuffer<f32>,
}

impl Mp3 {
    fn fill(&mut self, info: &FrameInfo, packet: &PacketRef<'_>, silent: bool) {
        let channels = usize::from(info.channels.num());
        let layout = if channels == 1 { CHANNEL_LAYOUT_MONO } else { CHANNEL_LAYOUT_STEREO };
        let spec = AudioSpec::new(info.sample_rate, layout);
        if self.buffer.is_unused() || self.buffer.spec() != &spec {
            self.buffer = AudioBuffer::new(spec, FRAMES);
        }
        // MPEG-1 has rates from 32 kHz on.
        let frames = if silent { FRAMES >> u32::from(info.sample_rate < 32_000) } else { info.samples_produced };
        if silent {
            self.interleaved.fill(0.0);
        }
        let samples = &self.interleaved[..frames * channels];
        self.buffer.clear();
        self.buffer.render_uninit(Some(frames));
        self.buffer.copy_from_slice_interleaved(&samples);
        if self.gapless {
            self.buffer.trim(packet.trim_start.get() as usize, packet.trim_end.get() as usize);
        }
    }
}

impl AudioDecoder for Mp3 {
    fn codec_info(&self) -> &CodecInfo {
        &CODECS[0].info
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.parameters
    }

    fn reset(&mut self) {
        *self.decoder = Decoder::new();
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        let (_, decoded) = self.decoder.decode(packet.data, &mut self.interleaved);
        match decoded {
            Ok(info) => self.fill(&info, packet, false),
            // The first frames of a stream that was cut out of another lean on frames that are not
            // there: they keep their place, as silence.
            Err(DecodeError::ReservoirUnavailable(info)) => self.fill(&info, packet, true),
            Err(DecodeError::NoFrame) => return decode_error("mp3: not a frame"),
            Err(_) => return decode_error("mp3: the frame is damaged"),
        }
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for Mp3 {
    fn try_registry_new(
        parameters: &AudioCodecParameters,
        options: &AudioDecoderOptions,
    ) -> Result<Box<dyn AudioDecoder>> {
        Ok(Box::new(Self {
            parameters: parameters.clone(),
            gapless: options.gapless,
            decoder: Box::new(Decoder::new()),
            interleaved: vec![0.0; MAX_SAMPLES_PER_FRAME],
            buffer: AudioBuffer::default(),
        }))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        CODECS
    }
}
