package sampler

import (
	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/operator"
)

// REDDiff is RED-diff (Mardani et al., arXiv 2305.04391), a variational method: it seeks the image mu,
// which is the state x, by stochastic gradients over the noise levels,
//
//	x_t  = mu + sigma z,   e = (x_t - D(x_t; sigma))/sigma
//	grad = w sigma (e - z)/n + v A^T (A mu - y)/m
//	mu  <- mu - lr Adam(grad)
//
// n and m being the numbers of elements of x and y, since the authors' losses are means. They take w = 0.25,
// v = 1, Adam with lr = 0.1 and moments (0.9, 0.99), 1000 steps from high noise to low, and mu = A^+ y
// to start from. For an operator that is not linear the gradient of the residual takes the place of
// A^T and the start is noise of 0.1. It takes T evaluations without VJP.
type REDDiff struct {
	Levels
	Weight       float64 `set:"weight"`        // w
	Observation  float64 `set:"observation"`   // v
	LearningRate float64 `set:"learning-rate"` // lr
}

// NewREDDiff returns the method with its authors' settings.
func NewREDDiff(Problem) REDDiff { return REDDiff{vpRange(1000), 0.25, 1, 0.1} }

// Name is "red-diff".
func (REDDiff) Name() string { return "red-diff" }

// Validate implements Sampler.
func (m REDDiff) Validate() error {
	return m.validate(m.Name(), within{"weight", m.Weight, 0, maxStep}, within{"observation", m.Observation, 0, maxStep}, within{"learning-rate", m.LearningRate, 0, maxStep})
}

// State lists the moments.
func (REDDiff) State() []string { return adamState }

// Stages lists the programs.
func (REDDiff) Stages() []Stage { return []Stage{redDiffStep, pinvStart, scaleStart} }

// StepCost is one evaluation.
func (REDDiff) StepCost() Cost { return redDiffStep.Cost }

// pinvStart replaces the state by A^+ y.
var pinvStart = Stage{
	Name: "start", Inverse: true,
	Build: func(b *Builder) { b.SetState(StateX, b.Inverse().PseudoInverse(b.Y())) },
}

// scaleStart scales the noise that the state starts as.
var scaleStart = Stage{
	Name: "scaled start", State: []string{StateX}, Scalars: []string{"scale"},
	Build: func(b *Builder) { b.SetState(StateX, graph.Mul(b.Scalar("scale"), b.State(StateX))) },
}

var redDiffStep = Stage{
	Name: "step", State: append([]string{StateX}, adamState...), Noise: []string{"z"}, Cost: Cost{Forwards: 1},
	Scalars: append([]string{"sigma", "weight", "observation", "rate"}, adamScalars...),
	Build: func(b *Builder) {
		mu, sigma := b.State(StateX), b.Scalar("sigma")
		x0hat := b.Denoise(graph.Add(mu, graph.Mul(sigma, b.Noise("z"))), sigma)
		loss := b.misfit(mu)
		// w sigma (e - z) = w (mu - x0hat), and A^T(A mu - y) is half the gradient of the misfit.
		prior := graph.Mul(b.Scalar("weight"), graph.Sub(mu, x0hat))
		data := graph.Mul(b.Scalar("observation"), b.Gradient(loss, mu))
		b.SetState(StateX, graph.Sub(mu, graph.Mul(b.Scalar("rate"), adam(b, graph.Add(prior, data)))))
		b.SetState(StateX0hat, x0hat)
		b.Report(reportLoss, loss)
	},
}

// Step runs outer step k.
func (m REDDiff) Step(r *Run) error {
	if r.K() == 0 && !r.Started() {
		stage := pinvStart.Name
		if !r.Operator().Linear() {
			stage = scaleStart.Name
		}
		if _, err := r.Exec(stage, Scalars{"scale": 0.1 / m.SigmaMax}); err != nil {
			return err
		}
	}
	h, w := r.Operator().ImageSize()
	_, err := r.Exec(redDiffStep.Name, Scalars{
		"sigma": r.Sigma(), "rate": m.LearningRate,
		"weight": m.Weight / float64(h*w*3), "observation": m.Observation / 2 / float64(operator.Entries(r.Operator())),
	}.with(adamInputs(0.9, 0.99, r.K()+1)))
	return err
}
