package score

import (
	"math"

	"github.com/tidemill/tidemill"
)

// SilhouetteConfig is how well rows lie within their cluster and apart from the others.
type SilhouetteConfig struct{}

// NewSilhouetteConfig is the config with its defaults.
func NewSilhouetteConfig() *SilhouetteConfig { return &SilhouetteConfig{} }

// Build makes the score; it never fails.
func (*SilhouetteConfig) Build(string) (tidemill.Score, error) { return Silhouette(), nil }

// Silhouette is the simplified silhouette of clusters (Hruschka, de Castro and Campello, 2004), online: the mean over
// rows of (b-a)/max(a,b), a being the distance to the nearest centre and b that to the second nearest, as the model
// predicted them for the row before it learned it. Centres stand for their clusters' rows, which a stream cannot keep,
// so that a row costs one look at the distances, not one at all rows: figures are higher than the full silhouette's. 1
// is best, 0 a row half way between two centres (also where both distances are 0). Rows are not counted until there are
// two centres.
func Silhouette() *Total {
	return total(&mean{label: "silhouette", suits: []tidemill.ModelKind{tidemill.Cluster},
		of: func(a *tidemill.Answer) (float64, bool) {
			if a.Kind != tidemill.Cluster {
				return 0, false
			}
			first, second := math.Inf(1), math.Inf(1)
			for _, d := range a.Prediction {
				if d != d || d < 0 {
					return 0, false
				}
				if d < first {
					first, second = d, first
				} else if d < second {
					second = d
				}
			}
			if math.IsInf(second, 1) {
				return 0, false
			}
			if second == 0 {
				return 0, true
			}
			return (second - first) / second, true
		}})
}
