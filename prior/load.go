package prior

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"

	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/priors"
)

// ErrNoConfig is in the chain of the error about a checkpoint that does not describe its network,
// loaded without naming one.
var ErrNoConfig = errors.New("the checkpoint does not describe its network")

// LoadOptions are options of Load.
type LoadOptions struct {
	// Network names the architecture of a checkpoint without a configuration of its own; see
	// Networks.
	Network string
}

// Load loads a prior. spec is the name of an embedded one (see List) or else the path of a
// checkpoint in any format that package checkpoint reads. A checkpoint holds the state dict of a
// guided-diffusion UNet, in safetensors with the configuration as JSON in the metadata entry
// "config"; what the entries "parameterization", "data_range" and "schedule" say, if there, must
// be what the embedded priors say.
//
// Errors wrap those of package checkpoint (a file that cannot be read; missing, unexpected or
// misshapen tensors; NaN), ErrConfig or ErrNoConfig.
func Load(spec string, o LoadOptions) (*Model, error) {
	trim := checkpoint.TrimCommon("module.", "model.") // left by PyTorch's wrappers
	if file, size, ok := priors.Open(spec); ok {
		f, err := checkpoint.Read(file, size, spec, trim)
		if err != nil {
			return nil, fmt.Errorf("prior: %w", err)
		}
		return fromFile(f, o)
	}
	f, err := checkpoint.Open(spec, trim)
	if err != nil {
		if c := card(spec); c != nil {
			return nil, fmt.Errorf("prior: %s is not part of the program: give the path of its file, %s: %w", spec, c.File, err)
		}
		return nil, fmt.Errorf("prior: %w", err)
	}
	return fromFile(f, o)
}

// fromFile makes a model of a checkpoint. It empties f.Tensors as it goes, so that the weights are
// not held twice.
func fromFile(f *checkpoint.File, o LoadOptions) (*Model, error) {
	c, err := fileConfig(f, o)
	if err != nil {
		return nil, err
	}
	if err := checkpoint.Check(f, c.Tensors()); err != nil {
		return nil, fmt.Errorf("prior: %w", err)
	}
	return newModel(f.Name, c, func(layer []param) [][]float32 {
		values := make([][]float32, len(layer))
		for i, t := range layer {
			values[i] = f.Tensors[t.name].Data
			delete(f.Tensors, t.name)
		}
		return values
	}), nil
}

// fileConfig finds the configuration of a checkpoint.
func fileConfig(f *checkpoint.File, o LoadOptions) (Config, error) {
	fail := func(err error) (Config, error) { return Config{}, fmt.Errorf("prior: %s: %w", f.Name, err) }
	var named Config
	if o.Network != "" {
		var err error
		if named, err = Network(o.Network); err != nil {
			return Config{}, err
		}
	}
	text, ok := f.Metadata["config"]
	if !ok {
		if o.Network == "" {
			return fail(fmt.Errorf("%w: name it (%s)", ErrNoConfig, strings.Join(Networks(), ", ")))
		}
		return named, nil
	}
	// What else a file may say about its network must agree with what is done with it.
	for _, m := range [][2]string{
		{"parameterization", "eps"},
		{"data_range", "[-1,1]"},
		{"schedule", "VP, continuous, beta_min 0.1, beta_max 20, timestep input 999*t"},
	} {
		if got, ok := f.Metadata[m[0]]; ok && got != m[1] {
			return fail(badConfig("%s is %q, only %q is supported", m[0], got, m[1]))
		}
	}
	c, err := parseConfig(text)
	if err != nil {
		return fail(err)
	}
	if o.Network != "" && !reflect.DeepEqual(c, named) {
		return fail(badConfig("the file describes another network than %s", o.Network))
	}
	return c, nil
}

// Random returns a network with random weights, for measuring speed and memory and for tests. It
// denoises nothing. Weights are normal with variance 1/fan-in, gains 1 and biases 0; the same seed
// gives the same weights.
func Random(name string, c Config, seed uint64) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	return newModel(name, c, func(layer []param) [][]float32 {
		values := make([][]float32, len(layer))
		for i, t := range layer {
			values[i] = randomParam(t, rng)
		}
		return values
	}), nil
}

func randomParam(t param, rng *rand.Rand) []float32 {
	data := make([]float32, size(t.shape))
	switch {
	case len(t.shape) > 1:
		scale := 1 / math.Sqrt(float64(size(t.shape[1:])))
		for i := range data {
			data[i] = float32(scale * rng.NormFloat64())
		}
	case strings.HasSuffix(t.name, ".weight"):
		for i := range data {
			data[i] = 1
		}
	}
	return data
}
