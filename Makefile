# make demo    fetch libtorch and a little music, build, run pipelines/demo.yaml
# make test    formatting, lints, unit and end-to-end tests
# make build   both programs, in $CARGO_TARGET_DIR/release/
# make docs    the generated pages
# make soundfont   General MIDI instruments (MIT, 120 MB), which pipelines/rendered.yaml plays MIDI files with
# make notes   recorded notes with labels, which pipelines/clmr.yaml and byol.yaml train on
# make bench   Étude and its peers over the same music, then bench-views: tables in Markdown, and results.json
# make bench-views   augmentations and features beside their peers; PEERS=all adds those that need PyTorch (6 GB)
# make bench-train   a step of training beside PyTorch (a download of 3 GB); options go into BENCH
# make soak    the tests of the store for an hour: any history, and a thousand real kills
# make fuzz    each fuzz target for FUZZ_SECONDS (60); needs cargo-fuzz
#
# LIBTORCH=/its/folder or LIBTORCH_USE_PYTORCH=1 use a libtorch or PyTorch that is there.

export CARGO_TARGET_DIR ?= target
target := $(abspath $(CARGO_TARGET_DIR))
etude := $(target)/release/etude
python := $(target)/python

# torch-sys asks for one version; 2.11 is the one that is tested here.
export LIBTORCH_BYPASS_VERSION_CHECK := 1
ifeq ($(LIBTORCH)$(LIBTORCH_USE_PYTORCH),)
export LIBTORCH := $(target)/libtorch
libtorch := libtorch
endif

# libopus is built by cmake; a machine without it gets the one that PyPI has.
ifeq ($(shell command -v cmake)$(CMAKE),)
export CMAKE := $(target)/cmake/cmake/data/bin/cmake
cmake := $(CMAKE)
endif

.PHONY: demo test build libtorch music notes soundfont test-font lint docs python odd soak fuzz bench-train bench-views

demo: build music
	$(etude) run pipelines/demo.yaml

build: $(libtorch) $(cmake)
	cargo build --release --workspace --locked

$(target)/cmake/cmake/data/bin/cmake:
	python3 -m pip install --quiet --target $(target)/cmake cmake==4.4.4

libtorch:
	python3 scripts/fetch-libtorch.py $(target)/libtorch

music:
	python3 scripts/fetch-music.py music

notes:
	python3 scripts/fetch-notes.py notes

# Sound files of other projects' test suites. Without them their test is left out.
odd:
	@python3 scripts/fetch-odd.py $(target)/odd || echo "the odd files are not there: their test is left out"

soundfont:
	python3 scripts/fetch-soundfont.py soundfonts FluidR3_GM

# The font that the tests play with.
test-font:
	@python3 scripts/fetch-soundfont.py $(target)/soundfont TimGM6mb

# What the tests compare with: readers of shards that others wrote.
python:
	@cmp -s tests/python/requirements.txt $(python)/requirements.txt || { \
	  rm -rf $(python) && \
	  python3 -m pip install --quiet --target $(python) --requirement tests/python/requirements.txt && \
	  cp tests/python/requirements.txt $(python)/requirements.txt; }

lint: $(libtorch) $(cmake)
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets --locked -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --offline check licenses bans sources; \
	  else echo "cargo deny is not installed: licences are not checked"; fi

test: lint build music python odd test-font
	@if cargo nextest --version >/dev/null 2>&1; then \
	  ETUDE_TESTS_SKIP_NOTHING=1 PYTHONPATH=$(python) cargo nextest run --release --workspace --locked; \
	else \
	  ETUDE_TESTS_SKIP_NOTHING=1 PYTHONPATH=$(python) cargo test --release --workspace --locked -- --test-threads 2; \
	fi

soak: build music
	ETUDE_SOAK_CASES=20000 ETUDE_SOAK_KILLS=1000 cargo test --release --workspace --locked -- --nocapture \
	  any_history_ends_as_a_clean_run killed_at_any_moment

docs: build
	$(etude) ops --markdown > docs/operators.md
	$(etude) schema > docs/pipeline.schema.json

# Without a sanitizer the stable compiler will do; RUSTC_BOOTSTRAP lets it take cargo-fuzz's flags.
FUZZ_SECONDS ?= 60
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || \
	  { echo "make fuzz needs cargo-fuzz, which it does not install: cargo install cargo-fuzz"; exit 1; }
	@$(MAKE) build
	python3 fuzz/seeds.py $(etude) fuzz/corpus
	@set -e; for name in decode shard_reader; do \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run --release --sanitizer none --target-dir $(target)/fuzz $$name -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=1024 -max_len=65536; done

# Options of benches/run.py go into BENCH, such as BENCH="--only mixed --repeat 5". PEERS=all adds
# torchcodec; its torch is a download of 3 GB, unless pip is told of an index with smaller wheels.
BENCH_MUSIC ?= $(target)/bench/music
bench_python := $(target)/bench-python$(if $(filter all,$(PEERS)),-all)
bench_needs := benches/requirements.txt $(if $(filter all,$(PEERS)),benches/requirements-torchcodec.txt)

bench: build bench-corpus bench-python
	python3 benches/run.py --work $(target)/bench --etude $(etude) --music $(BENCH_MUSIC) --python $(bench_python) $(BENCH)
	$(if $(BENCH),,$(MAKE) bench-views)

bench-corpus:
	@if [ "$(BENCH_MUSIC)" = "$(target)/bench/music" ]; then python3 scripts/fetch-bench.py "$(BENCH_MUSIC)"; fi

bench-python:
	@cat $(bench_needs) | cmp -s - $(bench_python)/requirements.txt || { \
	  rm -rf $(bench_python) && \
	  python3 -m pip install --quiet --target $(bench_python) $(addprefix --requirement ,$(bench_needs)) && \
	  cat $(bench_needs) > $(bench_python)/requirements.txt; }

train_python := $(target)/bench-python-train

bench-train: build
	@cmp -s benches/train/requirements.txt $(train_python)/requirements.txt || { \
	  rm -rf $(train_python) && \
	  python3 -m pip install --quiet --target $(train_python) --requirement benches/train/requirements.txt && \
	  cp benches/train/requirements.txt $(train_python)/requirements.txt; }
	PYTHONPATH=$(train_python) python3 benches/train/run.py --trainer $(target)/release/etude-trainer $(BENCH)

views_python := $(target)/bench-python-views$(if $(filter all,$(PEERS)),-all)
views_needs := benches/views/requirements.txt $(if $(filter all,$(PEERS)),benches/views/requirements-torch.txt)
clmr_python := $(target)/bench-python-clmr

# Options of benches/views/run.py go into BENCH. PEERS=all adds what is built on PyTorch, and torchaudio-augmentations with the
# last PyTorch it works with: 3 GB each, and libsox (Debian's libsox-dev).
bench-views: build music
	cargo build --release --workspace --locked --example apply
	@cat $(views_needs) | cmp -s - $(views_python)/requirements.txt || { \
	  rm -rf $(views_python) && \
	  python3 -m pip install --quiet --target $(views_python) $(addprefix --requirement ,$(views_needs)) && \
	  cat $(views_needs) > $(views_python)/requirements.txt; }
	@[ "$(PEERS)" != all ] || cmp -s benches/views/requirements-clmr.txt $(clmr_python)/requirements.txt || { \
	  rm -rf $(clmr_python) && \
	  python3 -m pip install --quiet --target $(clmr_python) --requirement benches/views/requirements-clmr.txt && \
	  cp benches/views/requirements-clmr.txt $(clmr_python)/requirements.txt; }
	PYTHONPATH=$(views_python) python3 benches/views/run.py --work $(target)/bench-views --music music \
	  --apply $(target)/release/examples/apply --etude $(etude) --trainer $(target)/release/etude-trainer \
	  $(if $(filter all,$(PEERS)),--clmr-python $(clmr_python)) $(BENCH)
