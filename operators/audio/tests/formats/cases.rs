//! The formats that are decoded.

/// A format.
pub struct Case {
    pub extension: &'static str,
    pub rate: u32,
    pub channels: u32,
    /// How ffmpeg makes it.
    pub encode: &'static str,
    /// How ffmpeg decodes it.
    pub decode: &'static str,
    /// How near we have to come to it, in decibels.
    pub near: f64,
    /// Frames of a codec's packet by which ffmpeg may give more: some versions of it do not look where an
    /// edit list ends.
    pub more: usize,
}

/// Decoded exactly.
const EXACT: f64 = f64::INFINITY;

const fn case(extension: &'static str, rate: u32, channels: u32, encode: &'static str, near: f64) -> Case {
    Case { extension, rate, channels, encode, decode: "", near, more: 0 }
}

const fn in_mp4(case: Case, more: usize) -> Case {
    Case { more, ..case }
}

const fn by_libopus(case: Case) -> Case {
    Case { decode: "-c:a libopus", ..case }
}

const AAC: &str = "-c:a aac -aac_pns 0 -b:a 96k";
const AAC_MANY: &str = "-c:a aac -aac_pns 0 -b:a 384k";
const MP3: &str = "-c:a libmp3lame -b:a 128k";
const VORBIS: &str = "-c:a libvorbis -q:a 5";
const OPUS: &str = "-c:a libopus";
const OPUS_MANY: &str = "-c:a libopus -mapping_family 1";

pub const CASES: &[Case] = &[
    case("wav", 44_100, 2, "-c:a pcm_u8", EXACT),
    case("wav", 8000, 1, "-c:a pcm_s16le", EXACT),
    case("wav", 16_000, 1, "-c:a pcm_s16le", EXACT),
    case("wav", 192_000, 2, "-c:a pcm_s16le", EXACT),
    case("wav", 44_100, 2, "-c:a pcm_s24le", EXACT),
    case("wav", 44_100, 2, "-c:a pcm_s32le", EXACT),
    case("wav", 44_100, 2, "-c:a pcm_f32le", EXACT),
    case("wav", 44_100, 2, "-c:a pcm_f64le", EXACT),
    case("wav", 8000, 1, "-c:a pcm_alaw", EXACT),
    case("wav", 8000, 2, "-c:a pcm_mulaw", EXACT),
    case("wav", 22_050, 2, "-c:a adpcm_ms", EXACT),
    case("wav", 22_050, 1, "-c:a adpcm_ima_wav", EXACT),
    case("wav", 48_000, 6, "-c:a pcm_s24le", EXACT),
    case("wav", 44_100, 2, "-c:a pcm_s16le -rf64 always", EXACT),
    case("wav", 44_100, 2, MP3, 90.0),
    case("w64", 44_100, 2, "-c:a pcm_s16le", EXACT),
    case("w64", 44_100, 2, "-c:a pcm_f32le", EXACT),
    case("aiff", 44_100, 2, "-c:a pcm_s8", EXACT),
    case("aiff", 44_100, 2, "-c:a pcm_s16be", EXACT),
    case("aiff", 48_000, 6, "-c:a pcm_s24be", EXACT),
    case("aiff", 96_000, 1, "-c:a pcm_s32be", EXACT),
    case("aiff", 44_100, 2, "-c:a pcm_s16le", EXACT),
    case("aiff", 44_100, 2, "-c:a pcm_f32be", EXACT),
    case("aiff", 44_100, 2, "-c:a pcm_f64be", EXACT),
    case("aiff", 8000, 1, "-c:a pcm_mulaw", EXACT),
    case("au", 16_000, 2, "-c:a pcm_s16be", EXACT),
    case("au", 8000, 1, "-c:a pcm_mulaw", EXACT),
    case("caf", 48_000, 2, "-c:a pcm_s16le", EXACT),
    case("caf", 48_000, 2, "-c:a pcm_s24be", EXACT),
    case("caf", 48_000, 2, "-c:a pcm_f32le", EXACT),
    case("caf", 48_000, 2, "-c:a alac", EXACT),
    case("flac", 8000, 1, "-c:a flac -sample_fmt s16", EXACT),
    case("flac", 44_100, 2, "-c:a flac -sample_fmt s16", EXACT),
    case("flac", 192_000, 2, "-c:a flac -sample_fmt s32", EXACT),
    case("flac", 44_100, 2, "-c:a flac -sample_fmt s16 -compression_level 0", EXACT),
    case("flac", 44_100, 2, "-c:a flac -sample_fmt s16 -compression_level 12", EXACT),
    case("flac", 44_100, 2, "-c:a flac -sample_fmt s16 -ch_mode indep -frame_size 1000", EXACT),
    case("flac", 44_100, 2, "-c:a flac -sample_fmt s16 -ch_mode left_side", EXACT),
    case("flac", 44_100, 2, "-c:a flac -sample_fmt s32 -ch_mode right_side", EXACT),
    case("flac", 44_100, 2, "-c:a flac -sample_fmt s16 -ch_mode mid_side", EXACT),
    case("flac", 48_000, 2, "-c:a flac -sample_fmt s16 -max_prediction_order 32 -strict -2", EXACT),
    case("flac", 48_000, 2, "-c:a flac -sample_fmt s16 -filter:a volume=20dB", EXACT),
    case("flac", 48_000, 6, "-c:a flac -sample_fmt s16", EXACT),
    case("oga", 44_100, 2, "-c:a flac -sample_fmt s16", EXACT),
    case("mka", 48_000, 6, "-c:a flac -sample_fmt s16", EXACT),
    case("mka", 44_100, 2, "-c:a flac -sample_fmt s16", EXACT),
    case("mp4", 44_100, 2, "-c:a flac -strict -2", EXACT),
    case("mp3", 8000, 1, "-c:a libmp3lame -b:a 16k", 90.0),
    case("mp3", 16_000, 2, "-c:a libmp3lame -b:a 48k", 90.0),
    case("mp3", 22_050, 2, "-c:a libmp3lame -b:a 64k", 90.0),
    case("mp3", 44_100, 2, MP3, 90.0),
    case("mp3", 44_100, 2, "-c:a libmp3lame -b:a 160k -joint_stereo 0", 90.0),
    case("mp3", 44_100, 2, "-c:a libmp3lame -b:a 320k -reservoir 0", 90.0),
    case("mp3", 48_000, 2, "-c:a libmp3lame -q:a 0", 90.0),
    case("mp3", 48_000, 1, "-c:a libmp3lame -q:a 9", 90.0),
    // A band of 24 kHz begins at line 332 in the standard and for LAME, at 330 for ffmpeg.
    case("mp3", 24_000, 2, "-c:a libmp3lame -b:a 96k", 40.0),
    case("mp3", 22_050, 1, "-c:a libmp3lame -b:a 32k", 90.0),
    case("mp3", 16_000, 2, "-c:a libmp3lame -b:a 64k -joint_stereo 0", 90.0),
    case("mp3", 11_025, 2, "-c:a libmp3lame -b:a 32k", 90.0),
    case("mp3", 8000, 1, "-c:a libmp3lame -b:a 16k", 90.0),
    case("mp3", 48_000, 1, "-c:a libmp3lame -q:a 3", 90.0),
    case("mp3", 44_100, 2, "-c:a libmp3lame -write_xing 0 -id3v2_version 0", 90.0),
    case("mka", 44_100, 2, MP3, 90.0),
    in_mp4(case("mp4", 44_100, 2, MP3, 90.0), 1152),
    case("mp2", 44_100, 2, "-c:a mp2 -b:a 192k", 70.0),
    case("mp2", 22_050, 1, "-c:a mp2 -b:a 64k", 70.0),
    case("ogg", 8000, 1, VORBIS, 90.0),
    case("ogg", 44_100, 2, VORBIS, 90.0),
    case("ogg", 96_000, 2, VORBIS, 90.0),
    case("ogg", 48_000, 6, VORBIS, 90.0),
    case("webm", 44_100, 2, "-c:a libvorbis", 90.0),
    case("mka", 48_000, 6, "-c:a libvorbis", 90.0),
    by_libopus(case("opus", 48_000, 1, OPUS, 60.0)),
    by_libopus(case("opus", 48_000, 2, OPUS, 60.0)),
    by_libopus(case("opus", 16_000, 1, "-c:a libopus -b:a 24k", 60.0)),
    by_libopus(case("opus", 24_000, 2, "-c:a libopus -frame_duration 60", 60.0)),
    by_libopus(case("opus", 48_000, 2, "-c:a libopus -frame_duration 2.5", 60.0)),
    by_libopus(case("opus", 48_000, 6, OPUS_MANY, 60.0)),
    by_libopus(case("webm", 48_000, 2, OPUS, 60.0)),
    by_libopus(case("webm", 48_000, 6, OPUS_MANY, 60.0)),
    in_mp4(by_libopus(case("mp4", 48_000, 2, OPUS, 60.0)), 960),
    in_mp4(case("m4a", 8000, 1, AAC, 90.0), 1024),
    in_mp4(case("m4a", 22_050, 2, AAC, 90.0), 1024),
    in_mp4(case("m4a", 44_100, 2, AAC, 90.0), 1024),
    in_mp4(case("m4a", 96_000, 2, AAC, 90.0), 1024),
    in_mp4(case("m4a", 48_000, 6, AAC_MANY, 90.0), 1024),
    in_mp4(case("mov", 44_100, 2, AAC, 90.0), 1024),
    case(
        "mp4",
        44_100,
        2,
        "-c:a aac -aac_pns 0 -movflags frag_keyframe+empty_moov -frag_duration 300000",
        90.0,
    ),
    case("aac", 16_000, 1, AAC, 90.0),
    case("aac", 44_100, 2, AAC, 90.0),
    in_mp4(case("m4a", 96_000, 6, AAC_MANY, 90.0), 1024),
    // Their channels are named in the header, or in the first packet.
    in_mp4(
        case("m4a", 48_000, 6, "-af aformat=channel_layouts=5.1(side) -c:a aac -aac_pns 0 -b:a 384k", 90.0),
        1024,
    ),
    in_mp4(
        case("m4a", 48_000, 4, "-af aformat=channel_layouts=quad -c:a aac -aac_pns 0 -b:a 384k", 90.0),
        1024,
    ),
    in_mp4(
        case("m4a", 44_100, 3, "-af aformat=channel_layouts=2.1 -c:a aac -aac_pns 0 -b:a 256k", 90.0),
        1024,
    ),
    in_mp4(
        case("m4a", 44_100, 8, "-af aformat=channel_layouts=octagonal -c:a aac -aac_pns 0 -b:a 512k", 90.0),
        1024,
    ),
    case("aac", 48_000, 6, "-af aformat=channel_layouts=5.1(side) -c:a aac -aac_pns 0 -b:a 384k", 90.0),
    case("mka", 48_000, 7, "-af aformat=channel_layouts=6.1 -c:a aac -aac_pns 0 -b:a 384k", 90.0),
    case("aac", 48_000, 6, AAC_MANY, 90.0),
    case("mka", 44_100, 2, AAC, 90.0),
    case("mka", 48_000, 6, AAC_MANY, 90.0),
    case("m4a", 44_100, 2, "-c:a alac -sample_fmt s16p", EXACT),
    case("m4a", 96_000, 2, "-c:a alac -sample_fmt s32p", EXACT),
    case("m4a", 48_000, 6, "-c:a alac -sample_fmt s16p", EXACT),
    case("mov", 44_100, 2, "-c:a alac -sample_fmt s16p", EXACT),
    case("mka", 44_100, 2, "-c:a pcm_s16le", EXACT),
    case("mka", 44_100, 2, "-c:a pcm_f32le", EXACT),
    case("mov", 44_100, 2, "-c:a pcm_s16le", EXACT),
    case("mov", 44_100, 2, "-c:a pcm_s24be", EXACT),
    case("mov", 44_100, 2, "-c:a pcm_f32le", EXACT),
    case("mov", 44_100, 2, "-c:a pcm_mulaw", EXACT),
    // Rates and layouts that stand nowhere above.
    case("wav", 12_000, 1, "-c:a pcm_s16le", EXACT),
    case("wav", 88_200, 3, "-c:a pcm_s24le", EXACT),
    case("wav", 176_400, 4, "-c:a pcm_s32le", EXACT),
    case("wav", 64_000, 8, "-c:a pcm_s16le", EXACT),
    case("caf", 24_000, 6, "-c:a pcm_f64be", EXACT),
    case("caf", 8000, 1, "-c:a pcm_alaw", EXACT),
    case("flac", 32_000, 1, "-c:a flac -sample_fmt s16", EXACT),
    case("flac", 88_200, 2, "-c:a flac -sample_fmt s32", EXACT),
    case("flac", 24_000, 3, "-c:a flac -sample_fmt s16", EXACT),
    case("flac", 44_100, 5, "-c:a flac -sample_fmt s16", EXACT),
    case("mp3", 11_025, 1, "-c:a libmp3lame -b:a 32k", 90.0),
    case("mp3", 32_000, 2, MP3, 90.0),
    case("ogg", 11_025, 1, VORBIS, 90.0),
    case("ogg", 32_000, 2, VORBIS, 90.0),
    case("ogg", 44_100, 3, VORBIS, 90.0),
    case("ogg", 44_100, 5, VORBIS, 90.0),
    case("ogg", 48_000, 8, VORBIS, 90.0),
    in_mp4(case("m4a", 12_000, 1, AAC, 90.0), 1024),
    in_mp4(case("m4a", 24_000, 2, AAC, 90.0), 1024),
    in_mp4(case("m4a", 32_000, 1, AAC, 90.0), 1024),
    in_mp4(case("m4a", 88_200, 2, AAC, 90.0), 1024),
];

/// What is not decoded: extension, rate, channels, how ffmpeg makes it, and the name in the message.
pub const REFUSED: &[(&str, u32, u32, &str, &str)] = &[
    ("wma", 44_100, 2, "-c:a wmav2", "WMA"),
    ("ac3", 44_100, 2, "-c:a ac3", "AC-3"),
    ("eac3", 44_100, 2, "-c:a eac3", "E-AC-3"),
    ("dts", 44_100, 2, "-c:a dca -strict -2", "DTS"),
    ("wv", 44_100, 2, "-c:a wavpack", "WavPack"),
    ("tta", 44_100, 2, "-c:a tta", "True Audio"),
    ("spx", 16_000, 1, "-c:a libspeex", "Speex"),
    ("rm", 8000, 1, "-c:a real_144", "RealAudio"),
    ("mp4", 44_100, 2, "-c:a ac3", "AC-3"),
    ("mka", 44_100, 2, "-c:a ac3", "AC-3"),
    ("mka", 44_100, 2, "-c:a truehd -strict -2", "TrueHD"),
    ("mka", 44_100, 2, "-c:a wmav2", "WMA"),
    ("wav", 16_000, 1, "-c:a g722", "G.722"),
    ("ts", 44_100, 2, "-c:a aac", "an MPEG transport stream"),
    ("latm", 44_100, 2, "-c:a aac", "AAC in LATM"),
    ("voc", 44_100, 1, "-c:a pcm_u8", "Creative Voice"),
];
