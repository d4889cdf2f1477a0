.DEFAULT_GOAL := help
export CGO_ENABLED := 0

help: ## say what the targets do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

build: ## build the binary ./tidemill
	go build -trimpath -ldflags "-s -w" -o tidemill ./cmd/tidemill

test: ## run every test, with the race detector where cgo's linker is at hand; sets up what it needs
	@./tools/test.sh

quick: ## run the tests of the packages without servers, without the race detector
	go test -short ./matrix/ ./encode/ ./feature/ ./model/ ./score/ ./store/ ./config/

fuzz: ## fuzz every decoder for ten seconds each
	@./tools/fuzz.sh 10s

bench: ## measure beside the peers (bench/README.md says how)
	@./bench/run.sh

lint: ## run golangci-lint with the house's configuration
	golangci-lint run

docs: ## write the generated documents anew
	go generate ./...

release: ## build static binaries, packages and checksums into dist/
	@./tools/release.sh
