# A short front door to meson and ninja; `make help` lists what it can do.
# SPDX-License-Identifier: Apache-2.0

PYTHON ?= /usr/bin/python3
CLANG  ?= clang
# Warnings stop the build in CI only (CI=1, as .ci/run sets it): a newer
# compiler with a new opinion must not keep anybody from building.
WERROR := $(if $(CI),-Dwerror=true,-Dwerror=false)
# Lines are enough to read a report by; -g would be half as much again to link.
# -O1 compiles in half the time of -O2, and the tests take as long as with it;
# gold, where it is, links in a third of the time. What gcc believes at -O1 to
# be uninitialized is not: warnings count in the plain build and with clang.
SAN    := -Db_lundef=false --buildtype=debugoptimized -Doptimization=1 \
	-Dc_args=-g1 \
	$(if $(shell command -v ld.gold),-Dc_link_args=-fuse-ld=gold)
ROUNDS ?= 200
FUZZ_SECONDS ?= 60

all: build/build.ninja ## build everything, its tests too
	@ninja -C build
build/artstore: build/build.ninja ## build the program alone
	@ninja -C build artstore

build/build.ninja:
	meson setup build $(WERROR)
build-asan/build.ninja:
	meson setup build-asan $(SAN) -Db_sanitize=address,undefined
build-tsan/build.ninja:
	meson setup build-tsan $(SAN) -Db_sanitize=thread
build-fuzz/build.ninja:
	CC=$(CLANG) meson setup build-fuzz $(SAN) -Dfuzz=true \
	    -Db_sanitize=address,undefined $(WERROR)

check: all ## seconds: units, purity, layers, format, fuzz corpora
	@meson test -C build --no-rebuild -q --print-errorlogs -t 3 \
	    --num-processes $$((2 * $$(nproc))) \
	    --suite unit --suite tree --suite corpus

lint: all ## clang-tidy and cppcheck
	@$(PYTHON) tools/lint build

test: ## minutes: everything but soaks, and a smoke of each soak
	@$(PYTHON) tools/suite all

asan: build-asan/build.ninja ## units and scenarios with ASan and UBSan
	@$(PYTHON) tools/suite asan
tsan: build-tsan/build.ninja ## the same with ThreadSanitizer
	@$(PYTHON) tools/suite tsan

fuzz: build-fuzz/build.ninja ## each target for FUZZ_SECONDS (60)
	@ninja -C build-fuzz fuzzers
	@$(PYTHON) tools/fuzz build-fuzz $(FUZZ_SECONDS)

soak: all ## ROUNDS (200) of kill -9 under load
	ROUNDS=$(ROUNDS) $(PYTHON) -m pytest -q test/scn/test_kill9.py

soak-live: all ## ten minutes of a cluster in trouble, with its figures
	$(PYTHON) -m pytest -q -s -p no:cacheprovider test/scn/soak_live.py \
	    test/scn/soak_reload.py

bench: all ## everything that doc/performance.md claims; long
	@$(PYTHON) bench/run
bench-quick: all ## the promised figures, under 5 minutes
	@$(PYTHON) bench/run --quick

install: build/build.ninja ## into DESTDIR, under the prefix of meson
	@ninja -C build product
	@DESTDIR="$(DESTDIR)" meson install -C build --no-rebuild
uninstall: ## what the last make install of this folder has put somewhere
	@ninja -C build uninstall

format: ## let clang-format have its way with all C files
	@$(PYTHON) tools/format-check --fix

clean:
	rm -rf build build-asan build-tsan build-fuzz

help:
	@sed -n 's/^\([a-z/-]*\):[^#]*## /  make \1	/p' Makefile | expand -t 22

.PHONY: all check lint test asan tsan fuzz soak soak-live bench bench-quick \
	install uninstall format clean help build/artstore
