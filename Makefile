# CSE. `make help` says what each target does.
SHELL := /bin/bash
# A test that fails before a pipe fails the target.
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0
ARGS ?=
TOOLS := go tool -modfile=$(CURDIR)/tools/go.mod

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: build ## the main job, end to end, then stay up (ARGS="--once --json", "--data DIR", …)
	@exec bin/csed demo $(ARGS)

build: assets ## bin/cse and bin/csed, without cgo, and bin/libcse-pkcs11.so where a C compiler is found
	@mkdir -p bin
	go build -trimpath -o bin/ ./cmd/cse ./cmd/csed
	@scripts/module.sh

assets: portal/look/dist/.built ## the pages' stylesheet, scripts and fonts, from npm by lock file

portal/look/dist/.built: portal/look/package-lock.json portal/look/build.mjs $(wildcard portal/look/src/*)
	cd portal/look && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && node build.mjs
	@touch $@

test: ## everything below, with what it needs installed; prints the seconds of each stage
	@exec scripts/test.sh

lint: ## gofumpt, go vet, staticcheck
	@exec scripts/lint.sh

bench: build ## side by side with peers; writes bin/bench.json
	@exec scripts/bench.sh

fuzz: ## every fuzz target, one minute each (FUZZTIME=…)
	@exec scripts/fuzz.sh

packages: assets ## .deb, .rpm, archives for other systems, SHA256SUMS, bills of materials: bin/packages
	@exec scripts/packages.sh

packages-test: packages ## install, use and remove them in a clean root (debootstrap; root; MIRROR=…)
	CSE_PACKAGES=$(CURDIR)/bin/packages go test -count=1 ./test/packages
	@exec test/packages/clean.sh

rules: ## every rule of the catalogue with the tests that prove it
	@exec go run ./test/rules/prove

crash: build ## kill -9 of issue, activation, publication, hold, revocation and extension at random points (KILLS=… in all)
	@exec scripts/crash.sh

model: ## random acts by random roles against a small model of the rules (LIVES=…)
	CSE_MODEL_LIVES=$${LIVES:-1000} go test -count=1 -timeout 120m -v ./test/model

tamper: ## random changes of the audit log's store, each found and named (N=10000); make test does 1,000
	CSE_TAMPERINGS=$${N:-10000} CGO_ENABLED=0 go test ./engine/audit -count=1 -run AnyTampering -v | grep -E 'tamperings|FAIL|ok'

pkits: ## NIST's path validation tests, complete, beside OpenSSL's score on the same vectors
	@scripts/deps.sh
	@CSE_FOREIGN=1 CSE_PKITS=1 go test -count=1 -run TestPKITS ./test/pkits -v | grep -vE '^(=== |--- |PASS|ok )'

bettertls: ## Netflix's BetterTLS, all 9,572 cases of name constraints and path building
	@CSE_FOREIGN=1 CSE_BETTERTLS=1 go test -count=1 -run TestBetterTLS ./test/bettertls -v | grep -vE '^(=== |--- |PASS|ok )'

ocsp-vectors: ## OpenSSL's OCSP test data (from Debian's source package) judged by pki/trust/path
	@scripts/openssl-vectors.sh bin/ocsp-vectors
	@CSE_OCSP_VECTORS=$(CURDIR)/bin/ocsp-vectors go test -count=1 -run TestOpenSSLVectors ./test/ocspvectors -v | grep -vE '^(=== |--- |PASS|ok )'

certificates: ## 10,000 random certificates (N=…) through zlint and our own lints; prints the seconds
	@CSE_CERTIFICATES=$${N:-10000} go test -count=1 -run 'TestR15_|TestR44_' -v ./pki/profile/lint | grep -E 'certificates:|FAIL|seed|^ok'

moduli: ## 100,000 moduli (N=…) searched for shared primes; prints seconds and memory
	@CSE_MODULI=$${N:-100000} go test -count=1 -timeout 30m -run TestTheWholeBase -v ./pki/ca/factors | grep -E 'moduli:|FAIL|^ok'

generate: ## query code (sqlc), after a change to engine/store/queries or migrations
	engine/store/generate.sh

.PHONY: help demo build assets test lint bench fuzz packages packages-test rules crash model tamper pkits bettertls ocsp-vectors certificates moduli generate
