"""Makes notes.json: MIDI files that mido writes, and the notes that others read in them.

pretty_midi reads onsets, offsets, pitches, velocities, programs, drums, tempos and beats; partitura the offsets with the
sustain pedal (its threshold is one that has to be exceeded).

    pip install mido==1.3.3 pretty_midi==0.2.11.post0 partitura==1.9.0 && python3 notes.py > notes.json

With files as arguments it writes what pretty_midi reads in those instead, a line a file.
"""
import io
import json
import random
import sys
import tempfile
import warnings

import mido
import partitura
import pretty_midi

warnings.simplefilter("ignore")
draw = random.Random(5)


def voice(channel, notes, pedal=False):
    """Messages at ticks: notes with gaps, chords and repeated keys; programs change where nothing sounds."""
    tick, messages = draw.randrange(50), []
    for number in range(notes):
        if number % 8 == 0:
            messages.append((tick, mido.Message("program_change", channel=channel, program=draw.randrange(128))))
        length = draw.randrange(20, 400)
        for pitch in draw.sample(range(36, 84), draw.choice([1, 1, 3])):
            velocity = draw.randrange(1, 128)
            messages.append((tick, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
            # Half of the releases are notes without velocity, which keep the running status.
            kind = draw.choice(["note_on", "note_off"])
            messages.append((tick + length, mido.Message(kind, channel=channel, note=pitch, velocity=0)))
        if pedal and number % 3 == 0:
            down, up = tick + length // 2, tick + length + draw.randrange(10, 900)
            for when, value in ((down, 64), (up, 63)):
                messages.append((when, mido.Message("control_change", channel=channel, control=64, value=value)))
        tick += length + draw.choice([0, 0, 1, 120])
    return messages


def tempos(count):
    ticks = sorted(draw.sample(range(1, 8000), count))
    return [(tick, mido.MetaMessage("set_tempo", tempo=draw.randrange(150_000, 1_500_000))) for tick in [0, *ticks]]


def file(kind, ticks, tracks):
    """The bytes of a file from the messages of its tracks."""
    midi = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    for messages in tracks:
        # At a tick keys are released before others are struck.
        rank = lambda message: (message[0], message[1].type == "note_on" and message[1].velocity > 0)
        track, last = mido.MidiTrack(), 0
        for tick, message in sorted(messages, key=rank):
            track.append(message.copy(time=tick - last))
            last = tick
        midi.tracks.append(track)
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def notes(midi):
    """[onset, offset, pitch, velocity, program, drum, beat, tempo] of each note, as pretty_midi reads them."""
    times, values = midi.get_tempo_changes()
    rows = []
    for instrument in midi.instruments:
        for note in instrument.notes:
            tick = midi.time_to_tick(note.start)
            tempo = [value for time, value in zip(times, values) if midi.time_to_tick(time) <= tick][-1]
            rows.append([note.start, note.end, note.pitch, note.velocity, instrument.program, instrument.is_drum,
                         tick / midi.resolution, tempo])
    return sorted(rows)


def held(content):
    """The same with the pedal: offsets are partitura's."""
    with tempfile.NamedTemporaryFile(suffix=".mid") as copy:
        copy.write(content)
        copy.flush()
        performance = partitura.load_performance_midi(copy.name)
    for part in performance:
        part.sustain_pedal_threshold = 63
    offsets = sorted((note["note_on"], note["midi_pitch"], note["sound_off"])
                     for part in performance for note in part.notes)
    rows = sorted(notes(pretty_midi.PrettyMIDI(io.BytesIO(content))), key=lambda row: (row[0], row[2]))
    assert len(rows) == len(offsets)
    for row, (onset, pitch, offset) in zip(rows, offsets):
        assert abs(row[0] - onset) < 1e-6 and row[2] == pitch
        row[1] = float(offset)
    return sorted(rows)


def shortened(rows):
    kinds = (float, float, int, int, int, bool, float, float)
    return [[kind(round(value, 9)) for kind, value in zip(kinds, row)] for row in rows]


if len(sys.argv) > 1:
    for path in sys.argv[1:]:
        print(json.dumps(shortened(notes(pretty_midi.PrettyMIDI(path)))))
    sys.exit()

files = [
    (file(0, 480, [tempos(0) + voice(0, 12)]), False),
    (file(0, 96, [tempos(6) + voice(3, 20)]), False),
    (file(1, 384, [tempos(9), voice(0, 14), voice(9, 14), voice(15, 10)]), False),
    (file(0, 960, [tempos(3) + voice(0, 24, pedal=True)]), True),
]
print(json.dumps([
    {"midi": content.hex(), "pedal": pedal,
     "notes": shortened(held(content) if pedal else notes(pretty_midi.PrettyMIDI(io.BytesIO(content))))}
    for content, pedal in files
]).replace('}, {', '},\n{'))
