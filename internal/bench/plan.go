package bench

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Image is a photograph cut to the plan's size.
type Image struct {
	Name   string // of its file, without folder and extension, and with a number if another has the same
	Path   string
	SHA256 string // of the square's size and pixels
	Pixels *imageio.Image
}

// Plan is a specification that has been understood: all cells in the order of the tables.
type Plan struct {
	Spec   Spec
	Images []Image
	Tasks  []Task
	// Methods are those of the specification, by task: an equal number of evaluations may take
	// another number of steps for each.
	Methods [][]Method
}

// NewPlan reads the images, which have to be files, and checks everything that can be checked before
// the work starts. read reads a picture. Errors wrap ErrSpec, operator.ErrSize for an image that is too small, or are
// those of read.
func NewPlan(s Spec, read func(path string) (*imageio.Image, error)) (*Plan, error) {
	// Methods are changed by settle.
	s.Methods = slices.Clone(s.Methods)
	tasks, err := s.settle()
	if err != nil {
		return nil, err
	}
	p := &Plan{Spec: s, Tasks: tasks}
	for _, t := range tasks {
		op, _, err := operator.Build(t.Task, s.Size, s.Size, 0, operator.Files{})
		if err != nil {
			return nil, fmt.Errorf("bench: task %s: %w", t.Name, err)
		}
		problem := sampler.Problem{Operator: op, SigmaY: t.Noise.Sigma}
		methods := slices.Clone(s.Methods)
		for i, m := range methods {
			if err := m.check(problem); err != nil {
				return nil, err
			}
			if s.NFE > 0 {
				if methods[i], err = m.atNFE(s.NFE, problem); err != nil {
					return nil, err
				}
			}
		}
		p.Methods = append(p.Methods, methods)
	}
	for _, path := range s.Images {
		img, err := read(path)
		if err != nil {
			return nil, err
		}
		square, err := centre(path, img, s.Size)
		if err != nil {
			return nil, err
		}
		stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		name := stem
		for n := 2; slices.ContainsFunc(p.Images, func(o Image) bool { return o.Name == name }); n++ {
			name = fmt.Sprintf("%s (%d)", stem, n)
		}
		i := Image{Name: name, Path: path, SHA256: hashImage(square), Pixels: square}
		if j := slices.IndexFunc(p.Images, func(o Image) bool { return o.SHA256 == i.SHA256 }); j >= 0 {
			return nil, fmt.Errorf("bench: %w: %s and %s are the same picture", ErrSpec, p.Images[j].Path, path)
		}
		p.Images = append(p.Images, i)
	}
	return p, nil
}

// Cells is the number of cells.
func (p *Plan) Cells() int {
	return len(p.Images) * len(p.Tasks) * len(p.Spec.Methods) * len(p.Spec.Seeds)
}

// centre cuts the central square out of an image, with three channels.
func centre(path string, img *imageio.Image, size int) (*imageio.Image, error) {
	if img.Height < size || img.Width < size {
		return nil, fmt.Errorf("bench: %s has %dx%d pixels, less than the square of %d that is cut out: %w", path, img.Width, img.Height, size, operator.ErrSize)
	}
	img = img.RGB()
	top, left := (img.Height-size)/2, (img.Width-size)/2
	out := imageio.New(size, size, 3)
	for y := range size {
		copy(out.Pix[y*size*3:][:size*3], img.Pix[((top+y)*img.Width+left)*3:])
	}
	return out, nil
}

// hashImage is the SHA-256 of an image's sizes and values.
func hashImage(m *imageio.Image) string {
	b := make([]byte, 0, 12+4*len(m.Pix))
	for _, n := range []int{m.Height, m.Width, m.Channels} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return hashFloats(b, m.Pix)
}

// hashFloats is the SHA-256 of some bytes followed by numbers.
func hashFloats(b []byte, v []float32) string {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// drawSeed is the seed of everything that is drawn for an image under one of the plan's seeds: mask,
// kernel, noise and start. Each image has its own, which does not depend on the other images; all
// methods share it.
func drawSeed(imageSHA256 string, seed uint64) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "spgd bench %s %d", imageSHA256, seed))
	return binary.BigEndian.Uint64(sum[:8])
}
