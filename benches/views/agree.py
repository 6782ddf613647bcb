"""Whether a peer does the same kind of thing as Étude: what both make of one clip, and a figure that must be near."""
import numpy

def bands(samples, rate):
    """The power in third-octave bands from 50 Hz on, in dB."""
    power = numpy.abs(numpy.fft.rfft(samples))**2
    hz = numpy.fft.rfftfreq(len(samples), 1 / rate)
    edges = 50 * 2 ** (numpy.arange(0, 3 * numpy.log2(rate / 2 / 50)) / 3)
    sums = [power[(hz >= low) & (hz < high)].sum() for low, high in zip(edges, edges[1:])]
    return 10 * numpy.log10(numpy.array(sums) + 1e-20)


def correlation(ours, theirs):
    return numpy.corrcoef(ours.ravel(), theirs.ravel())[0, 1]


def wave(_, ours, theirs, __):
    """Sample by sample."""
    value = correlation(ours, theirs)
    return f"correlation {value:.4f}", value > 0.99


def spectrum(_, ours, theirs, rate):
    """The bands that are loud in either; a filter of another kind differs far below."""
    ours, theirs = bands(ours[0], rate), bands(theirs[0], rate)
    ours, theirs = ours - ours.max(), theirs - theirs.max()
    loud = numpy.maximum(ours, theirs) > -20
    value = numpy.abs(ours - theirs)[loud].mean()
    return f"bands {value:.1f} dB apart", value < 3


def filtered(clip, ours, theirs, rate):
    """What both keep, and that both take away the same: a filter of another kind takes away more or less of it."""
    before, ours, theirs = (bands(samples[0], rate) for samples in (clip, ours, theirs))
    passed, stopped = before - ours < 1, before - ours > 12
    kept = numpy.abs(ours - theirs)[passed].mean()
    taken = (before - theirs)[stopped].mean() if stopped.any() else 0
    same = kept < 1 and (taken > 9 or not stopped.any())
    return f"{kept:.1f} dB apart where it passes, {taken:.0f} dB taken where it stops", same


def noise(clip, ours, theirs, _):
    """How much was added."""
    def ratio(samples):
        return 10 * numpy.log10((clip**2).mean() / (((samples - clip) ** 2).mean() + 1e-20))
    values = ratio(ours), ratio(theirs)
    return "SNR {:.1f} and {:.1f} dB".format(*values), abs(values[0] - values[1]) < 1


def silence(_, ours, theirs, __):
    """How much is silent."""
    values = [100 * (samples == 0).mean() for samples in (ours, theirs)]
    return "{:.1f} and {:.1f} % silent".format(*values), abs(values[0] - values[1]) < 1


def semitones(clip, samples, rate):
    """By how much a spectrum has moved: the place where it fits that of the clip best."""
    hz = 100 * 2 ** (numpy.arange(12 * 8 * 4) / 48)
    hz = hz[hz < 0.4 * rate]

    def profile(signal):
        size = 8192
        frames = numpy.lib.stride_tricks.sliding_window_view(signal, size)[::size // 2] * numpy.hanning(size)
        power = (numpy.abs(numpy.fft.rfft(frames)) ** 2).mean(axis=0)
        at = numpy.log(numpy.interp(hz, numpy.fft.rfftfreq(size, 1 / rate), power) + 1e-12)
        smooth = numpy.convolve(at, numpy.ones(24) / 24, "same")
        return at - smooth
    before, after = profile(clip), profile(samples)
    fits = {by: numpy.corrcoef(before[48:-48], numpy.roll(after, -by)[48:-48])[0, 1] for by in range(-32, 33)}
    return max(fits, key=fits.get) / 4


def pitch(clip, ours, theirs, rate):
    values = [semitones(clip[0], samples[0], rate) for samples in (ours, theirs)]
    return "{:+.2f} and {:+.2f} semitones".format(*values), abs(values[0] - values[1]) <= 0.5


def values(_, ours, theirs, __):
    """Features, value by value."""
    value = correlation(ours, theirs)
    scale = numpy.abs(ours - theirs).max() / numpy.abs(theirs).max()
    return f"correlation {value:.4f}, off by {scale:.1e} of the largest", value > 0.98


def length(_, __, ___, ____):
    """All is drawn at random: nothing but the length can be compared."""
    return "random", True


CHECKS = {check.__name__: check for check in (wave, spectrum, filtered, noise, silence, pitch, values, length)}


def compare(check, clip, ours, theirs, rate):
    """What was found, and whether the two do the same. Arrays are [channels, frames]."""
    if ours.shape != theirs.shape:
        return f"shapes {list(ours.shape)} and {list(theirs.shape)}", False
    said, same = CHECKS[check](clip, ours.astype(float), theirs.astype(float), rate)
    return said, bool(same)
