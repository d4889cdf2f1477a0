// Package iris holds R. A. Fisher's 150 iris flowers: four measures in centimetres and the species. It is embedded, so
// that the demo needs no file beside the binary.
package iris

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed iris.csv
var data string

// FlowSQLite and FlowPostgres are the demo's flow files.
var (
	//go:embed flow.yaml
	FlowSQLite string
	//go:embed flow.postgres.yaml
	FlowPostgres string
)

// Columns are the names of the measures.
var Columns = [4]string{"sepal_length", "sepal_width", "petal_length", "petal_width"}

// Flower is one row.
type Flower struct {
	Measures [4]float64
	Class    int // 0 setosa, 1 versicolor, 2 virginica
}

// Flowers are the 150 rows in the order of the file.
func Flowers() ([]Flower, error) {
	lines := strings.Split(strings.TrimSpace(data), "\n")[1:]
	out := make([]Flower, len(lines))
	for i, l := range lines {
		f := strings.Split(strings.TrimSpace(l), ",")
		if len(f) != 5 {
			return nil, fmt.Errorf("iris: line %d has %d fields", i+2, len(f))
		}
		var err error
		for k := range out[i].Measures {
			if out[i].Measures[k], err = strconv.ParseFloat(f[k], 64); err != nil {
				return nil, fmt.Errorf("iris: line %d: %w", i+2, err)
			}
		}
		if out[i].Class, err = strconv.Atoi(f[4]); err != nil {
			return nil, fmt.Errorf("iris: line %d: %w", i+2, err)
		}
	}
	return out, nil
}
