package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// The parts of an SPDX 2.3 document that are used here: https://spdx.github.io/spdx-spec/v2.3/
type spdxDocument struct {
	Version       string             `json:"spdxVersion"`
	DataLicence   string             `json:"dataLicense"`
	ID            string             `json:"SPDXID"`
	Name          string             `json:"name"`
	Namespace     string             `json:"documentNamespace"`
	Creation      spdxCreation       `json:"creationInfo"`
	Packages      []spdxPackage      `json:"packages"`
	Relationships []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Version       string         `json:"versionInfo"`
	File          string         `json:"packageFileName,omitempty"`
	Supplier      string         `json:"supplier"`
	Download      string         `json:"downloadLocation"`
	FilesAnalyzed bool           `json:"filesAnalyzed"`
	Checksums     []spdxChecksum `json:"checksums,omitempty"`
	Concluded     string         `json:"licenseConcluded"`
	Declared      string         `json:"licenseDeclared"`
	Copyright     string         `json:"copyrightText"`
	Comment       string         `json:"comment,omitempty"`
	Purpose       string         `json:"primaryPackagePurpose,omitempty"`
	References    []spdxRef      `json:"externalRefs"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// sbom says what is in a binary, by what the linker wrote into it (`go version -m`).
func sbom(b *binary, mods []module, s *source) ([]byte, error) {
	licences := map[string]string{}
	for _, m := range mods {
		licences[m.path] = m.licence
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(b.data))
	const self = "https://github.com/tidemill/tidemill"
	main := spdxPackage{ID: "SPDXRef-tidemill", Name: "tidemill",
		Version: b.version, File: b.file(), Supplier: "Organization: Tidemill",
		Download: "git+" + self + "@" + s.commit, Checksums: []spdxChecksum{{"SHA256", sum}},
		Concluded: "Apache-2.0", Declared: "Apache-2.0",
		Copyright: "Copyright the Tidemill authors", Purpose: "APPLICATION",
		Comment:    b.os + "/" + b.arch + ", built without cgo",
		References: []spdxRef{purl(b.info.Main.Path, b.version)}}
	doc := spdxDocument{Version: "SPDX-2.3", DataLicence: "CC0-1.0", ID: "SPDXRef-DOCUMENT",
		Name: "tidemill " + b.version + " " + b.os + "/" + b.arch, Namespace: self + "/sbom/" + b.version + "/" + sum,
		Creation: spdxCreation{s.when.Format("2006-01-02T15:04:05Z"),
			[]string{"Organization: Tidemill", "Tool: tidemill-tools-release"}},
		Packages: []spdxPackage{main}, Relationships: []spdxRelationship{{"SPDXRef-DOCUMENT", "DESCRIBES", main.ID}}}
	add := func(path, version, sum, download string) error {
		licence, ok := licences[path]
		if !ok {
			return fmt.Errorf("the binary has the module %s, whose licence is not known", path)
		}
		p := spdxPackage{ID: "SPDXRef-" + notInID.ReplaceAllString(path+"-"+version, "-"), Name: path, Version: version,
			Supplier: "NOASSERTION", Download: download, Concluded: licence, Declared: licence, Copyright: "NOASSERTION",
			Purpose: "LIBRARY", References: []spdxRef{purl(path, version)}}
		if sum != "" {
			p.Comment = "go.sum " + sum
		}
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, spdxRelationship{main.ID, "STATIC_LINK", p.ID})
		return nil
	}
	if err := add("std", strings.TrimPrefix(b.info.GoVersion, "go"), "",
		"https://go.dev/dl/"+b.info.GoVersion+".src.tar.gz"); err != nil {
		return nil, err
	}
	for _, d := range b.info.Deps {
		if d.Replace != nil {
			return nil, fmt.Errorf("the module %s is replaced: a release has none such", d.Path)
		}
		if err := add(d.Path, d.Version, d.Sum, "https://"+d.Path); err != nil {
			return nil, err
		}
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	return append(out, '\n'), err
}

func purl(path, version string) spdxRef {
	return spdxRef{"PACKAGE-MANAGER", "purl", "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")}
}
