//! Each parameter, two values of which an operator gives two things, and what it does not take.

use serde_json::{Value, json};

/// A parameter with values.
pub struct Case {
    pub operator: &'static str,
    /// By names and places in lists, such as `bands.0.positive`.
    pub parameter: String,
    pub values: [Value; 2],
    /// The stage above.
    pub above: &'static str,
    /// The operator's other parameters.
    pub beside: Value,
    /// What is refused beside what the schema says of it.
    pub refused: &'static [&'static str],
    /// Whether there is nothing that it does not take, but for another type.
    pub takes_all: bool,
    pub keeps: Keeps,
}

/// How what an operator gives comes to be kept.
#[derive(Clone, Copy)]
pub enum Keeps {
    Itself,
    Metadata,
    Shards,
    Segments,
}

/// What an operator never takes, with a value that its type would let through.
pub const NEVER: [(&str, &str, &[&str]); 4] = [
    ("mfcc", "mel.compress", &["log", "{log: {}}"]),
    ("mfcc", "mel.standardise", &["clip"]),
    // It says what bands are, which `power` decides.
    ("mel", "compress.db.of", &["magnitude", "nonsense"]),
    ("mfcc", "compress.db.of", &["magnitude", "nonsense"]),
];

type Row = (&'static str, [Value; 2], Value, &'static [&'static str]);

/// What there is of an operator below a stage. A row is a parameter, two values, what stands beside it, and what it refuses
/// beyond its schema; `*` where it takes everything of its type.
fn of(operator: &'static str, above: &'static str, keeps: Keeps, rows: Vec<Row>) -> Vec<Case> {
    let case = |(parameter, values, beside, refused): Row| Case {
        operator,
        parameter: parameter.to_owned(),
        values,
        above,
        beside,
        refused: if refused == ["*"] { &[] } else { refused },
        takes_all: refused == ["*"],
        keeps,
    };
    rows.into_iter().map(case).collect()
}

/// The same of parameters within another.
fn within(name: &str, mut cases: Vec<Case>) -> Vec<Case> {
    cases.iter_mut().for_each(|case| case.parameter = format!("{name}.{}", case.parameter));
    cases
}

/// Two numbers, words or ranges.
macro_rules! two {
    ($($values:tt)*) => {
        pair(json!([$($values)*]))
    };
}

fn pair(values: Value) -> [Value; 2] {
    [values[0].clone(), values[1].clone()]
}

fn none() -> Value {
    json!({})
}

/// The cases of what is never taken: only what they refuse counts.
pub fn never() -> Vec<Case> {
    let case = |(operator, parameter, refused)| {
        of(operator, "clips", Keeps::Shards, vec![(parameter, pair(Value::Null), none(), refused)])
    };
    NEVER.into_iter().flat_map(case).collect()
}

pub fn all() -> Vec<Case> {
    use Keeps::{Itself, Metadata, Segments, Shards};
    [
        of("scan", "", Metadata, sources()),
        of("notes", "midi", Itself, vec![("pedal", two!(true, false), none(), &[])]),
        of("sql", "table", Itself, tables()),
        of("split", "table", Itself, parts()),
        of("decode", "files", Segments, decoding()),
        of("decode", "broken", Segments, vec![("on_damage", two!("drop", "keep"), none(), &[])]),
        of("render", "midi", Segments, rendering()),
        of("resample", "mono", Segments, resampling()),
        of("filter", "at16k", Segments, of_recordings()),
        of("filter", "cut", Shards, of_clips()),
        of("segment", "at16k", Shards, segments()),
        of("normalise", "cut", Shards, levels()),
        of("shards", "wide", Itself, shards()),
        of("crop", "clips", Shards, crops()),
        of("neighbours", "clips", Shards, neighbours()),
        of("augment", "pairs", Shards, chains()),
        of("stft", "clips", Shards, stft()),
        of("mel", "clips", Shards, mel()),
        of("mel", "clips", Shards, bands()),
        within("compress", of("mel", "clips", Shards, compression())),
        of("mfcc", "clips", Shards, mfcc()),
        within("mel", of("mfcc", "clips", Shards, bands())),
        within("compress", of("mfcc", "clips", Shards, compression())),
        of("chroma", "clips", Shards, chroma()),
        of("cqt", "clips", Shards, cqt()),
        of("compress", "spectra", Shards, functions()),
        within("function", of("compress", "spectra", Shards, compression())),
        of("standardise", "bands", Shards, standardising()),
        of("n_grams", "bands", Shards, n_grams()),
        of("spec_augment", "band_pairs", Shards, spec_augment()),
        of("axis_shift", "band_pairs", Shards, axis_shift()),
        of("patchify", "bands", Shards, patches()),
        of("mask", "band_pairs", Shards, masks()),
        of("bert_mask", "band_pairs", Shards, bert_mask()),
        of("drop_tokens", "bands", Shards, vec![("ratio", two!(0.2, 0.5), none(), &["1", "1.5"])]),
        of("random_projection", "bands", Shards, random_projection()),
        of(
            "assign",
            "bands",
            Shards,
            vec![("centroids", two!("centres", "fewer_centres"), none(), &["learnt"])],
        ),
        of("k_means", "bands", Itself, k_means()),
        of(
            "pool",
            "bands",
            Itself,
            vec![("statistics", two!(["mean"], ["max"]), none(), &["[]", "[nonsense]"])],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn sources() -> Vec<Row> {
    let packed = || json!({"path": "./packed"});
    vec![
        ("path", two!("./music", "./silence"), none(), &["*"]),
        ("include", two!(["**/*.wav"], ["mono.*"]), json!({"path": "./music"}), &["['[']"]),
        ("exclude", two!([], ["mono.*"]), json!({"path": "./music"}), &["['[']"]),
        ("archives.open", two!(true, false), packed(), &[]),
        ("archives.max_bytes", two!(1, 1_000_000_000), packed(), &[]),
        ("archives.max_ratio", two!(1, 10_000), packed(), &[]),
    ]
}

fn tables() -> Vec<Row> {
    let query = || json!({"query": "SELECT * FROM more"});
    vec![
        (
            "query",
            two!("SELECT item FROM t", "SELECT item FROM t WHERE artist = 'a1'"),
            json!({"tables": {"t": "table.csv"}}),
            &["SELEKT", "''"],
        ),
        ("tables", two!({"more": "table.csv"}, {"more": "other.csv"}), query(), &["{more: nothing.csv}"]),
    ]
}

fn parts() -> Vec<Row> {
    let halves = || json!({"parts": {"train": 0.5, "test": 0.5}});
    vec![
        (
            "parts",
            two!({"train": 0.5, "test": 0.5}, {"train": 0.2, "test": 0.8}),
            none(),
            &[
                "{}",
                "{train: 0.5, test: 0.6}",
                "{train: 0, test: 1}",
                "{train: -1, test: 2}",
                "{train: .nan, test: 1}",
            ],
        ),
        ("group", two!("artist", null), halves(), &["nothing"]),
        ("stratify", two!("genre", null), halves(), &["nothing"]),
    ]
}

fn decoding() -> Vec<Row> {
    vec![
        ("channels", two!("mono", "first"), none(), &[]),
        ("limits.bytes", two!(1000, 1_000_000_000), none(), &["0"]),
        ("limits.frames", two!(50_000, 1_000_000), none(), &["0"]),
        ("limits.seconds", two!(0.000_000_1, 1000), none(), &["0", "-1"]),
        ("range.start", two!(0, 0.5), json!({"range": {"duration": 1}}), &["-1"]),
        ("range.duration", two!(1, 1.6), json!({"range": {"start": 0.5}}), &["0", "-1"]),
    ]
}

fn rendering() -> Vec<Row> {
    let font = || json!({"soundfont": "one.sf2"});
    vec![
        ("soundfont", two!("one.sf2", "two.sf2"), none(), &["*"]),
        ("channels", two!("stereo", "mono"), font(), &[]),
        ("effects", two!(true, false), font(), &[]),
        ("gain_db", two!(0, 1), font(), &[]),
        ("max_seconds", two!(0.5, 60), font(), &[]),
        ("programs", two!([1], [40]), font(), &["[-1]", "[128]"]),
        ("rate", two!(44_100, 48_000), font(), &[]),
        ("tail", two!(1, 2), font(), &[]),
        ("transpose", two!([0, 0], [1, 1]), font(), &["[1, 0]", "[-49, 0]", "[0, 49]", "[0]"]),
    ]
}

fn resampling() -> Vec<Row> {
    vec![
        ("rate", two!(16_000, 8000), none(), &[]),
        ("quality", two!("fast", "best"), json!({"rate": 16_000}), &[]),
    ]
}

fn of_recordings() -> Vec<Row> {
    vec![("duration.min", two!(1, 3), none(), &["-1"]), ("duration.max", two!(3, 10), none(), &["-1"])]
}

fn of_clips() -> Vec<Row> {
    vec![
        ("clipping.max", two!(0, 1), none(), &[]),
        ("loudness.min", two!(-60, -5), none(), &["-inf"]),
        ("loudness.max", two!(-5, 10), none(), &["-inf"]),
        ("peak_db.min", two!(-60, -1), none(), &["-inf"]),
        ("peak_db.max", two!(-1, 10), none(), &["-inf"]),
        ("rms_db.min", two!(-60, -1), none(), &["-inf"]),
        ("rms_db.max", two!(-1, 10), none(), &["-inf"]),
    ]
}

fn segments() -> Vec<Row> {
    let second = || json!({"seconds": 1});
    vec![
        ("seconds", two!(0.5, 0.6), none(), &[]),
        ("frames", two!(8000, 9000), none(), &[]),
        ("hop", two!(0.5, 1), second(), &[]),
        ("minimum", two!(0.01, 0.9), json!({"seconds": 1, "tail": "pad"}), &["1.5"]),
        ("tail", two!("drop", "pad"), second(), &[]),
        ("silence.below_db", two!(-120, 0), json!({"seconds": 0.2, "silence": {"keep_ratio": 1}}), &[]),
        ("silence.keep_ratio", two!(0.1, 1), json!({"seconds": 0.2, "silence": {"below_db": -60}}), &[]),
        ("windows", two!("one.csv", "two.csv"), second(), &["*"]),
    ]
}

fn levels() -> Vec<Row> {
    vec![
        ("peak_db", two!(-1, -2), none(), &[]),
        ("rms_db", two!(-20, -21), none(), &[]),
        ("lufs", two!(-20, -21), none(), &[]),
        ("of", two!("clip", "recording"), json!({"peak_db": -1}), &[]),
        ("max_gain_db", two!(0, 40), json!({"peak_db": 0}), &[]),
        ("limit_peak_db", two!(-20, 0), json!({"rms_db": -10}), &[]),
    ]
}

fn shards() -> Vec<Row> {
    vec![("codec", two!("i16", "f32"), none(), &["nonsense"]), ("megabytes", two!(1, 256), none(), &[])]
}

fn crops() -> Vec<Row> {
    let pair = || json!({"views": 2, "seconds": 0.3});
    vec![
        ("views", two!(1, 2), none(), &[]),
        ("seconds", two!(0.3, 0.4), none(), &[]),
        ("placement", two!("same", "independent"), pair(), &["nonsense"]),
        (
            "placement.adjacent.distance",
            two!([0, 0.1], [0.2, 0.3]),
            pair(),
            &["[0.2, 0.1]", "[-1, 1]", "[0, 3601]", "[0, .nan]", "[0]"],
        ),
    ]
}

fn neighbours() -> Vec<Row> {
    let bands = || json!([{"positive": [0, 0.1], "negative": [0.2, 0.3]}]);
    let given = || json!({"seconds": 0.1, "anchors": 2, "positives": 1, "negatives": 1, "bands": bands()});
    let wrong: &[&str] = &["[0.2, 0.1]", "[-1, 1]", "[0, 3601]", "[0, .nan]", "[0]"];
    vec![
        ("seconds", two!(0.1, 0.2), given(), &[]),
        ("anchors", two!(2, 3), given(), &[]),
        ("positives", two!(1, 2), given(), &[]),
        ("negatives", two!(1, 2), given(), &[]),
        ("bands", [bands(), json!([{"positive": [0, 0.1], "negative": [0.3, 0.4]}])], given(), &["[]"]),
        ("bands.0.positive", two!([0, 0.1], [0.1, 0.2]), given(), wrong),
        ("bands.0.negative", two!([0.2, 0.3], [0.3, 0.4]), given(), wrong),
    ]
}

fn chains() -> Vec<Row> {
    let step = |name: &str| json!({"chain": [{name: {"p": 1}}]});
    vec![
        ("views", two!([0], [1]), step("gain"), &["[]", "[2]", "[-1]"]),
        ("background", two!("clips", "noises"), step("background"), &["bands"]),
        ("impulses", two!("clips", "noises"), step("impulse"), &["bands"]),
    ]
}

fn stft() -> Vec<Row> {
    vec![
        ("n_fft", two!(512, 256), none(), &[]),
        ("hop", two!(160, 128), none(), &[]),
        ("window", two!("hann", "hamming"), none(), &[]),
        ("window_length", two!(400, 300), none(), &["513"]),
        ("padding", two!("none", "reflect"), none(), &[]),
        ("values", two!("magnitude", "power"), none(), &[]),
    ]
}

/// What makes mel bands.
fn bands() -> Vec<Row> {
    vec![
        ("n_fft", two!(512, 1024), none(), &[]),
        ("hop", two!(160, 128), none(), &[]),
        ("window_length", two!(400, 300), none(), &["513"]),
        ("padding", two!("none", "reflect"), none(), &[]),
        ("n_mels", two!(64, 40), none(), &[]),
        ("f_min", two!(0, 100), none(), &["-1", "8000"]),
        ("f_max", two!(8000, 4000), none(), &["0", "8001"]),
        ("scale", two!("htk", "slaney"), none(), &[]),
        ("norm", two!("none", "slaney"), none(), &[]),
        ("power", two!(1, 2), json!({"compress": "log"}), &[]),
    ]
}

fn mel() -> Vec<Row> {
    vec![
        ("compress", two!("log", "log1p"), none(), &["nonsense"]),
        ("standardise", two!("none", "clip"), none(), &["nonsense", "corpus"]),
    ]
}

fn mfcc() -> Vec<Row> {
    vec![
        ("n_mfcc", two!(20, 13), none(), &["65"]),
        ("lifter", two!(0, 22), none(), &[]),
        ("norm", two!("ortho", "none"), none(), &[]),
        ("compress", two!("log", "log1p"), none(), &["nonsense"]),
    ]
}

fn chroma() -> Vec<Row> {
    vec![
        ("n_fft", two!(2048, 4096), none(), &[]),
        ("hop", two!(512, 256), none(), &[]),
        ("window_length", two!(1600, 1200), none(), &["2049"]),
        ("padding", two!("none", "reflect"), none(), &[]),
        ("n_chroma", two!(12, 24), none(), &["13"]),
        ("norm", two!("max", "l2"), none(), &[]),
        ("octave_centre", two!(5, 4), none(), &[]),
        ("octave_width", two!(2, 3), none(), &[]),
        ("tuning", two!(0, 0.3), none(), &[]),
    ]
}

fn cqt() -> Vec<Row> {
    let short = || json!({"n_bins": 24, "f_min": 200});
    vec![
        ("bins_per_octave", two!(12, 24), short(), &[]),
        ("f_min", two!(200, 210), json!({"n_bins": 24}), &["8000"]),
        ("n_bins", two!(24, 25), json!({"f_min": 200}), &[]),
        ("filter_scale", two!(1, 0.8), short(), &[]),
        ("gamma", two!(0, 10), short(), &[]),
        ("harmonics", two!([1], [1, 2]), short(), &["[]", "[0]", "[65]", "[.nan]"]),
        ("hop", two!(512, 256), short(), &[]),
        ("padding", two!("zero", "reflect"), short(), &[]),
        ("scale", two!("ortho", "amplitude"), short(), &[]),
        ("values", two!("magnitude", "power"), short(), &[]),
    ]
}

fn functions() -> Vec<Row> {
    vec![
        ("function", two!("log", "log1p"), none(), &["nonsense"]),
        ("function.db.of", two!("power", "magnitude"), none(), &[]),
    ]
}

/// What functions take.
fn compression() -> Vec<Row> {
    vec![
        ("log.offset", two!(0.001, 0.01), none(), &["0", "-1"]),
        ("log1p.scale", two!(1, 10), none(), &["0", "-1"]),
        ("log10.scale", two!(1, 10), none(), &["0", "-1"]),
        ("db.reference", two!(1, 2), none(), &["0", "-1"]),
        ("db.floor", two!(0.1, 1), none(), &["0", "-1"]),
        ("db.top_db", two!(80, 10), none(), &["-1"]),
    ]
}

fn standardising() -> Vec<Row> {
    vec![
        ("over", two!("frame", "clip"), none(), &["nonsense"]),
        ("statistics", two!("learnt", "learnt_of_others"), json!({"over": "corpus"}), &["centres"]),
    ]
}

fn n_grams() -> Vec<Row> {
    vec![("frames", two!(4, 5), none(), &[]), ("hop", two!(1, 2), json!({"frames": 4}), &[])]
}

fn spec_augment() -> Vec<Row> {
    let narrow = || json!({"frequency_width": [1, 4]});
    vec![
        ("fill", two!("mean", "zero"), narrow(), &[]),
        ("frequency_masks", two!(1, 2), narrow(), &[]),
        ("frequency_width", two!([1, 2], [4, 8]), none(), &["[2, 1]", "[0, 65536]", "[-1, 2]", "[1]"]),
        ("time_masks", two!(1, 2), narrow(), &[]),
        ("time_share", two!(0.1, 0.9), narrow(), &[]),
        ("time_width", two!([1, 2], [8, 10]), narrow(), &["[2, 1]", "[0, 1000001]", "[-1, 2]", "[1]"]),
        ("views", two!([0], [1]), narrow(), &["[]", "[2]", "[-1]"]),
    ]
}

fn axis_shift() -> Vec<Row> {
    let by = || json!({"axis": "pitch", "by": [-2, 2]});
    vec![
        ("axis", two!("pitch", "time"), json!({"by": [1, 2]}), &[]),
        (
            "by",
            two!([1, 1], [2, 2]),
            json!({"axis": "pitch"}),
            &["[2, 1]", "[0, 1000001]", "[-1000001, 0]", "[16, 16]", "[1]"],
        ),
        ("edge", two!("zero", "crop"), by(), &[]),
        ("views", two!([0], [1]), json!({"axis": "pitch", "by": [1, 2]}), &["[]", "[2]", "[-1]"]),
    ]
}

fn patches() -> Vec<Row> {
    vec![("frames", two!(4, 5), none(), &[]), ("bins", two!(8, 16), json!({"frames": 4}), &["5", "32"])]
}

fn masks() -> Vec<Row> {
    let spans = || json!({"pattern": {"spans": {"p": 0.1, "length": 5}}});
    let noise = || json!({"pattern": {"spans": {"p": 0.1, "length": 5}}, "fill": {"noise": {"std": 1}}});
    vec![
        ("pattern", two!({"spans": {}}, {"blocks": {"seconds": 0.1}}), none(), &["nonsense"]),
        ("pattern.spans.p", two!(0.05, 0.2), spans(), &[]),
        ("pattern.spans.length", two!(5, 6), spans(), &[]),
        ("pattern.spans.least", two!(1, 9), json!({"pattern": {"spans": {"p": 0.01, "length": 5}}}), &[]),
        ("pattern.spans.overlap", two!(true, false), spans(), &[]),
        ("pattern.blocks.p", two!(0.2, 0.8), json!({"pattern": {"blocks": {"seconds": 0.1}}}), &[]),
        ("pattern.blocks.seconds", two!(0.1, 0.2), none(), &[]),
        ("fill", two!("zero", {"noise": {}}), spans(), &["nonsense"]),
        ("fill.noise.std", two!(1, 2), noise(), &[]),
        ("views", two!([0], [1]), spans(), &["[]", "[2]", "[-1]"]),
    ]
}

fn bert_mask() -> Vec<Row> {
    vec![
        ("p", two!(0.1, 0.5), none(), &[]),
        ("mask", two!(0.8, 0.4), none(), &[]),
        ("random", two!(0.1, 0.2), none(), &["0.3"]),
        ("span", two!(1, 4), none(), &[]),
        ("fill", two!("zero", {"noise": {}}), json!({"p": 0.5}), &["nonsense"]),
        ("fill.noise.std", two!(1, 2), json!({"p": 0.5}), &[]),
        ("views", two!([0], [1]), json!({"p": 0.5}), &["[]", "[2]", "[-1]"]),
    ]
}

fn random_projection() -> Vec<Row> {
    let few = || json!({"entries": 64});
    vec![
        ("codebooks", two!(1, 2), few(), &[]),
        ("dim", two!(16, 8), few(), &[]),
        ("entries", two!(64, 128), none(), &[]),
        ("seed", two!(0, 1), few(), &[]),
        ("stack", two!(1, 2), few(), &[]),
    ]
}

fn k_means() -> Vec<Row> {
    let given = || json!({"clusters": 4, "steps": 5});
    vec![
        ("clusters", two!(4, 5), json!({"steps": 5}), &[]),
        ("steps", two!(1, 5), json!({"clusters": 4}), &[]),
        ("batch_size", two!(20, 200), json!({"clusters": 4, "steps": 5, "frames_per_clip": 10}), &[]),
        ("frames_per_clip", two!(5, 50), given(), &[]),
        ("reassignment_ratio", two!(0, 1), json!({"clusters": 8, "steps": 20}), &[]),
    ]
}
