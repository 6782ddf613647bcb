# make demo    fetch libtorch and a little music, build, run pipelines/demo.yaml
# make test    formatting, lints, unit and end-to-end tests
# make build   both programs, in $CARGO_TARGET_DIR/release/
# make docs    the generated pages
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

.PHONY: demo test build libtorch music lint docs python

demo: build music
	$(etude) run pipelines/demo.yaml

build: $(libtorch)
	cargo build --release --workspace --locked

libtorch:
	python3 scripts/fetch-libtorch.py $(target)/libtorch

music:
	python3 scripts/fetch-music.py music

# What the tests compare with: readers of shards that others wrote.
python:
	@cmp -s tests/python/requirements.txt $(python)/requirements.txt || { \
	  rm -rf $(python) && \
	  python3 -m pip install --quiet --target $(python) --requirement tests/python/requirements.txt && \
	  cp tests/python/requirements.txt $(python)/requirements.txt; }

lint: $(libtorch)
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets --locked -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --offline check licenses bans sources; \
	  else echo "cargo deny is not installed: licences are not checked"; fi

test: lint build music python
	@if cargo nextest --version >/dev/null 2>&1; then \
	  PYTHONPATH=$(python) cargo nextest run --release --workspace --locked; \
	else \
	  PYTHONPATH=$(python) cargo test --release --workspace --locked -- --test-threads 2; \
	fi

docs: build
	$(etude) ops --markdown > docs/operators.md
	$(etude) schema > docs/pipeline.schema.json
