.DEFAULT_GOAL := help
export CGO_ENABLED := 0

help: ## say what the targets do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

build: ## build the binary ./tidemill
	go build -trimpath -ldflags "-s -w" -o tidemill ./cmd/tidemill

test: ## check and test everything, with the race detector where goroutines meet; sets up what it needs
	@./tools/test.sh

quick: ## format, vet, other systems, flows and the packages without servers: what takes minutes
	@./tools/test.sh format types vet flows pure

stress: ## run tests again and again beside a load, to find what fails by luck: make stress PACKAGES=./store/
	@./tools/stress.sh $(PACKAGES)

soak: ## the long run: race detector everywhere, a thousand kills, real builds, live clients, a reproducible release
	@./tools/soak.sh

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
