# The commands of this repository. They need Go and make, nothing else.

GO ?= go
# The race detector needs a C compiler, but for macOS. Where there is none, the
# tests run without it.
RACE ?= $(shell { [ "$$($(GO) env GOOS)" = darwin ] || command -v "$$($(GO) env CC)"; } >/dev/null 2>&1 && echo -race)
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS = -s -w -X main.version=$(VERSION)
# Neither HTTP/2 nor the writing of manual pages is used: without them the program is
# almost 1 MB smaller.
TAGS = nethttpomithttp2,urfave_cli_no_docs

.DEFAULT_GOAL := help

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## watch the real fix and rollback at work on a Mac in a folder
	@echo "Building the demo; the first time, Go compiles its standard library for it."
	@$(GO) run ./internal/sandbox/demo

.PHONY: shell
shell: ## a shell on a Mac in a folder, to try things by hand
	@$(GO) run ./internal/sandbox/demo -shell

.PHONY: test
test: ## run all tests; needs no Mac, no root, no network but for Go modules
	$(GO) test $(RACE) -parallel 8 ./...

.PHONY: e2e
e2e: ## the same stories on a real Docker Engine, which it starts where there is none
	@GO='$(GO)' .ci/e2e

.PHONY: build
build: ## build bin/ollama-bind
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/ollama-bind ./cmd/ollama-bind

.PHONY: install
install: ## install ollama-bind where go install puts programs
	CGO_ENABLED=0 $(GO) install -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' ./cmd/ollama-bind

.PHONY: lint
lint: ## check format, vet and staticcheck, for Linux and macOS
	@unformatted=$$(gofmt -l cmd internal launchctl plistfix) && test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./cmd/...
	GOOS=darwin $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

.PHONY: fuzz
fuzz: ## look for inputs that break the parsers, a minute each
	$(GO) test -run '^$$' -fuzz FuzzSetEnv -fuzztime 1m ./plistfix
	$(GO) test -run '^$$' -fuzz FuzzCheck -fuzztime 1m ./plistfix
	$(GO) test -run '^$$' -fuzz FuzzLayout -fuzztime 1m ./plistfix
	$(GO) test -run '^$$' -fuzz FuzzEdit -fuzztime 1m ./internal/homebrew
	$(GO) test -run '^$$' -fuzz FuzzParsePrint -fuzztime 1m ./launchctl
	$(GO) test -run '^$$' -fuzz FuzzParseListeners -fuzztime 1m ./launchctl

.PHONY: golden
golden: ## write the golden files anew after a wanted change; then read the diff
	$(GO) test ./plistfix -update

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
