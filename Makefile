# The commands of this repository. They need Go and make; the few that need more say so.

GO ?= go
# The race detector needs a C compiler, but for macOS. Where there is none, the
# tests run without it.
RACE ?= $(shell { [ "$$($(GO) env GOOS)" = darwin ] || command -v "$$($(GO) env CC)"; } >/dev/null 2>&1 && echo -race)
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
ACTIONLINT = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS = -s -w -X main.version=$(VERSION)
# cli's writing of manual pages is not used, and would weigh.
TAGS = urfave_cli_no_docs

.DEFAULT_GOAL := help

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## watch the real fix and rollback at work on a Mac in a folder
	@echo "Building the demo; the first time, Go compiles its standard library for it."
	@$(GO) run ./internal/sandbox/demo

.PHONY: shell
shell: ## a shell on a Mac in a folder, to try things by hand
	@$(GO) run ./internal/sandbox/demo -shell

.PHONY: test
test: ## run all tests; needs no Mac, no root, no network but for Go modules
# By itself, the race detector waits a second at the end of each package.
	GORACE=atexit_sleep_ms=10 $(GO) test $(RACE) -p 3 -parallel 12 ./...

.PHONY: e2e
e2e: ## container stories on a real Docker Engine, which it installs and starts where it can (as root on Debian or Ubuntu)
	@GO='$(GO)' .ci/e2e

.PHONY: fleet
fleet: ## play the Ansible role on a dozen Macs in folders, with ansible-core; FLEET=200 measures plays on that many
	@GO='$(GO)' .ci/fleet

.PHONY: build
build: ## build bin/ollama-bind
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/ollama-bind ./cmd/ollama-bind

.PHONY: install
install: ## install ollama-bind where go install puts programs
	CGO_ENABLED=0 $(GO) install -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' ./cmd/ollama-bind

# What only some tests are built with, or the program for them.
TEST_TAGS = e2e,torture,fleet,integration,stories
SCRIPTS = $(filter-out .ci/mac-dial,$(wildcard .ci/*)) contrib/munki/* contrib/jamf/*.sh cmd/ollama-bind/completions/ollama-bind.bash

.PHONY: lint
lint: ## check format, vet and staticcheck, for Linux and macOS; the workflows, and with shellcheck the scripts
	@unformatted=$$(gofmt -l cmd contrib internal launchctl plistfix) && test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags $(TEST_TAGS) ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=darwin $(GO) vet -tags $(TEST_TAGS) ./...
	GOOS=windows $(GO) build -o /dev/null ./cmd/ollama-bind
	$(GO) run $(STATICCHECK) ./...
	$(GO) run $(STATICCHECK) -tags $(TEST_TAGS) ./...
	$(GO) run $(ACTIONLINT) .github/workflows/*.yml
	@if ! command -v shellcheck >/dev/null; then echo "lint: there is no shellcheck here: the scripts were not checked"; \
	else shellcheck -S warning $(SCRIPTS); fi

# In memory where that is to be had: the disk's own slowness proves nothing. Without
# cgo the stand-ins start in half of the time, and there are tens of thousands.
TORTURE = cd cmd/ollama-bind && TMPDIR=$$(test -w /dev/shm && echo /dev/shm || echo "$${TMPDIR:-/tmp}") \
	CGO_ENABLED=0 $(GO) test -tags torture,$(TAGS) -run '^TestTorture$$' -count 1 -parallel 8 -timeout 20m

.PHONY: torture
torture: ## kill it at every step, break its tools, files and disks; writes the figures into docs/reliability.md
	$(TORTURE) -args -figures ../../docs/reliability.md

.PHONY: torture-short
torture-short: ## a sample of make torture
	$(TORTURE) -short

# A number of runs, and not a time: until Go 1.27 a time can end in "context deadline
# exceeded" for no reason (golang/go#75804). These take about three minutes for each.
FUZZTIME ?= 2000000x

# EVERY=5 takes a fifth of the states.
EVERY ?= 1

.PHONY: advice
advice: ## follow what is advised from every state that the stories set up: it has to lead out
	$(GO) test ./cmd/ollama-bind -run '^TestAdvice$$' -parallel 8 -timeout 20m -args -advice-every $(EVERY)

.PHONY: fuzz
fuzz: ## look for inputs that break the parsers, FUZZTIME (2000000x) for each of them
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "=== $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

.PHONY: mac-check
mac-check: ## on a Mac: the tests, its own launchctl, and a summary to paste; OLLAMA_BIND_REAL=1 tries the real service too
	@GO='$(GO)' MAKE='$(MAKE)' .ci/mac-check

.PHONY: release-check
release-check: ## check .goreleaser.yaml, and build a release here without publishing it
	@GO='$(GO)' .ci/release-check

.PHONY: bench
bench: build ## measure how long Ollama does not answer during a fix, and by hand; prints docs/benchmarks.md's table
	CGO_ENABLED=0 $(GO) run ./internal/bench

.PHONY: golden
golden: ## write the golden files again after a wanted change; then read the diff
	$(GO) test ./plistfix -update

.PHONY: docs
docs: ## write options and checks into the man page and the completions
	$(GO) test ./cmd/ollama-bind -run '^TestDocs$$' -count 1 -args -update

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
