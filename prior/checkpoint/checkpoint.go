// Package checkpoint reads network weights into float32: safetensors files, PyTorch's zip files
// (torch 1.6 and later) and the pickle streams of older PyTorch versions. It also writes
// safetensors files.
//
// The format is found from the file's content, never from its name. Tensors in float16, bfloat16
// and float64 are converted to float32; integer, boolean and complex tensors are not read, and
// their names are listed in [File.Skipped].
//
// Files are not trusted. A pickle is interpreted by a reader that can build dictionaries, lists
// and tensors and calls nothing; every size is compared with the size of the file before memory is
// allocated for it; a truncated or malformed file is an error. Beyond the tensors that it returns,
// a reader needs a few megabytes: data go from the file through a small buffer into the tensors.
package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Errors that a caller can act on. Every error of this package that says what is wrong with a
// file wraps one of them; failures of the disk or the file system are wrapped as they are.
var (
	// ErrFormat: the content is not a checkpoint, or breaks the rules of its format.
	ErrFormat = errors.New("not a valid checkpoint")
	// ErrTruncated: the file ends before the data that it announces.
	ErrTruncated = errors.New("file is truncated")
	// ErrUnsupported: a valid file that uses something this package does not read.
	ErrUnsupported = errors.New("unsupported checkpoint")
	// ErrAmbiguous: the file holds several dictionaries of tensors and none was chosen with [Key].
	ErrAmbiguous = errors.New("ambiguous checkpoint")
	// ErrNotFinite: a tensor holds NaN, an infinity, or a number too large for float32.
	ErrNotFinite = errors.New("weights are not finite")
	// ErrTensors: the tensors are not those that are wanted (see [Check]).
	ErrTensors = errors.New("tensors do not match")
)

// The values of [File.Format].
const (
	FormatSafetensors   = "safetensors"
	FormatPyTorch       = "pytorch"
	FormatPyTorchLegacy = "pytorch-legacy"
)

// Tensor is a dense row-major array. Its length is the product of Shape, which is 1 for a scalar.
// Two tensors of a PyTorch file that are the same view of the same storage (tied weights) share
// Data.
type Tensor struct {
	Shape []int
	Data  []float32
}

// File is the content of a checkpoint.
type File struct {
	// Name is the path or the name that the file was opened with; it is used in error messages.
	Name string
	// Format is one of the Format constants.
	Format string
	// Tensors holds every selected floating-point tensor by name.
	Tensors map[string]Tensor
	// Skipped says, for every selected entry that is not a floating-point tensor, what it is:
	// "int64", for example, for a counter of batches.
	Skipped map[string]string
	// Metadata is the "__metadata__" of a safetensors file. PyTorch files have none.
	Metadata map[string]string
}

type config struct {
	key    []string
	prefix string
	trim   []string
	header bool
}

// Option selects what is read from a file.
type Option func(*config)

// Prefix reads only the tensors whose name begins with prefix, and drops the prefix from their
// names. It is an error wrapping [ErrTensors] if there is none.
func Prefix(prefix string) Option {
	return func(c *config) { c.prefix = prefix }
}

// TrimCommon drops any of the prefixes from all names when every name begins with it, over and
// over: with "module." and "model.", "module.model.conv.weight" becomes "conv.weight".
// It comes after [Prefix].
func TrimCommon(prefixes ...string) Option {
	return func(c *config) { c.trim = append(c.trim, prefixes...) }
}

// Key names the dictionary inside a PyTorch file that holds the weights by the keys that lead
// to it, for example Key("ema") or Key("state", "model").
//
// Without Key, the dictionary that is nearest to the outermost one and holds
// floating-point tensors of at least one dimension under string keys is taken: usually the outermost
// dictionary itself, or its "state_dict" or "model". If several are equally near, it is an error
// wrapping [ErrAmbiguous] that names them. A safetensors file has no inner dictionaries, and Key is
// an error wrapping [ErrFormat] there.
func Key(path ...string) Option {
	return func(c *config) { c.key = path }
}

// HeaderOnly reads the metadata of a safetensors file and none of its tensors. A PyTorch file has no
// such part: it is an error wrapping [ErrFormat].
func HeaderOnly() Option {
	return func(c *config) { c.header = true }
}

// Open reads the checkpoint at path. See [Read].
func Open(path string, opts ...Option) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("checkpoint: %s is not a regular file: %w", path, ErrFormat)
	}
	return Read(f, info.Size(), path, opts...)
}

// Read reads a checkpoint of size bytes from r; name is used in error messages only. The format is
// found from the content. Errors wrap one of the errors of this package, or the error of r.
func Read(r io.ReaderAt, size int64, name string, opts ...Option) (*File, error) {
	var cfg config
	for _, o := range opts {
		o(&cfg)
	}
	s := newSource(r, size)
	f, err := read(s, &cfg)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", name, err)
	}
	f.Name = name
	return f, nil
}

func read(s *source, cfg *config) (*File, error) {
	format, err := detect(s)
	if err != nil {
		return nil, err
	}
	switch {
	case format == FormatSafetensors:
		return readSafetensors(s, cfg)
	case cfg.header:
		return nil, fmt.Errorf("a PyTorch file has no header: %w", ErrFormat)
	}
	switch format {
	case FormatPyTorch:
		return readZip(s, cfg)
	default:
		return readLegacy(s, cfg)
	}
}
