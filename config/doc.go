// Package config reads a flow file: strict YAML into a tidemill.Flow, with an error for every word that means nothing.
//
// Parse reads a file with the kinds (sources, models, ...) that a program knows. Each kind is a config struct of its
// own room, whose tagged fields are the only definition of its keys: Parse decodes by them, File.YAML prints every
// default by them, Schema makes a JSON Schema for editors and Reference the documentation of them. The tags of a field:
//
//	yaml:"key"        the key
//	doc:"Sentence."   what it is, and its default
//	enum:"a,b"        the only values
//	required:"true"   it must be given
//	secret:"true"     never printed
//	short:"true"      takes the value where YAML gives a scalar or a list instead of a mapping
//	unit:"bytes"      an int that also reads 64MiB
//	expr:"true"       an expression over a row
//	table:"true"      a table that the source has to read
//	like:"a,b"        what an example of the kind gives; without it, one gives the required keys
//
// Values, never keys, may hold ${NAME} and ${NAME:-default} from the environment; $${ is a literal ${. What comes from
// the environment stays a value: it cannot add keys or lists.
package config
