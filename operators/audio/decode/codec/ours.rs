//! What a decoder of ours is for symphonia.

use symphonia::core::audio::{AsGenericAudioBufferRef, AudioBuffer, GenericAudioBufferRef};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, FinalizeResult};
use symphonia::core::errors::Result;
use symphonia::core::packet::PacketRef;

/// What a codec of ours does.
pub(super) trait Codec: Send + Sync {
    fn info(&self) -> &'static CodecInfo;

    /// Forgets what came before.
    fn reset(&mut self);

    /// Decodes a packet into a buffer that is empty.
    fn decode(&mut self, packet: &[u8], buffer: &mut AudioBuffer<f32>) -> Result<()>;
}

/// A decoder of ours.
pub(super) struct Ours<C> {
    parameters: AudioCodecParameters,
    codec: C,
    buffer: AudioBuffer<f32>,
}

impl<C: Codec> Ours<C> {
    pub(super) fn new(parameters: AudioCodecParameters, codec: C, buffer: AudioBuffer<f32>) -> Self {
        Self { parameters, codec, buffer }
    }
}

impl<C: Codec> AudioDecoder for Ours<C> {
    fn codec_info(&self) -> &CodecInfo {
        self.codec.info()
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.parameters
    }

    fn reset(&mut self) {
        self.codec.reset();
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        if let Err(error) = self.codec.decode(packet.data, &mut self.buffer) {
            self.buffer.clear();
            return Err(error);
        }
        self.buffer.trim(packet.trim_start.get() as usize, packet.trim_end.get() as usize);
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}
