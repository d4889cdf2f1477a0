// Command release builds what is published of the last commit: static binaries for six systems in archives, Debian
// packages, an SBOM of each binary, checksums.
//
//	go run ./tools/release                                 all of it into dist/
//	go run ./tools/release -targets linux/amd64 -out /tmp  one system
//	go run ./tools/release -notice                         NOTICE, as it is in the repository
//	go run ./tools/release -licences                       the texts of the licences of all that is linked
//
// It needs Go and git, and no network once the modules are downloaded. What is built is the commit, in a clone of its
// own: so Go puts the version into the binary (the tag, or a pseudo-version), and nothing that lies about in the
// working tree gets in. The same commit and the same Go give the same bytes everywhere: no paths, no times but the
// commit's, no order but ours.
package main

//go:generate go run . -notice -out ../..
