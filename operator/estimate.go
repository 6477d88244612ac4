package operator

import "github.com/gomlx/gomlx/pkg/core/graph"

// Estimator is implemented by operators that are not linear but whose measurements say by themselves
// about what the image is: restorations that take their steps from the problem start from it. For
// linear operators an estimate needs nothing but A.
type Estimator interface {
	// Estimate builds an image of [N,H,W,3] that roughly explains y; data are as in Apply.
	Estimate(data []*graph.Node, y *graph.Node) *graph.Node
}

// Estimate builds y/2 in [-1/2,1/2]: right but for the noise where nothing was clipped.
func (o *HighDynamicRange) Estimate(_ []*graph.Node, y *graph.Node) *graph.Node {
	return graph.MulScalar(graph.ClipScalar(y, -1, 1), 0.5)
}
