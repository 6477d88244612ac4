// Package sampler restores images: it turns a measurement y = A(x0) + noise, a denoiser and an
// operator into an estimate of x0.
//
// One driver runs every sampler. A [Sampler] holds only its method's equations, as graph
// functions called stages and the short loop that runs them; the [Driver] owns the compiled
// stages, the state tensors (which stay on the device between stages), the random streams,
// cancellation, the checks for divergence, progress and recording.
//
// The state is variance-exploding, x = x0 + sigma n, an image in [-1,1] plus noise, [N,H,W,C]. A
// denoiser that takes multiples of a size only sees the state mirrored up to them, see
// [prior.AnySize]. Every loss, gradient, norm, cosine and random stream belongs to one image of
// the batch, so batching does not change a result.
package sampler
