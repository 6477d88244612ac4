package imageio

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"runtime"
	"sync"

	"github.com/seed-0f004ec9/spgd/internal/icc"
)

// maxProfile bounds an ICC profile. Those of printing presses have up to some 9 MB.
const maxProfile = 16 << 20

// iccPrefix begins an APP2 segment with a part of a profile; the part's number from 1 and the
// number of parts follow.
const iccPrefix = "ICC_PROFILE\x00"

// findProfile returns the ICC profile embedded in a file, nil if there is none: in the iCCP chunk of a
// PNG, in parts in APP2 segments of a JPEG, or in the ICCP chunk of a WebP.
func findProfile(format Format, data []byte) ([]byte, error) {
	cut := fmt.Errorf("%w: it is cut", icc.ErrDamaged)
	switch format {
	case PNG:
		for id, body := range pngChunks(data) {
			if id != "iCCP" {
				continue
			}
			_, rest, ok := bytes.Cut(body, []byte{0})
			if !ok || len(rest) == 0 || rest[0] != 0 {
				return nil, cut
			}
			r, err := zlib.NewReader(bytes.NewReader(rest[1:]))
			if err != nil {
				return nil, fmt.Errorf("%w: %w", icc.ErrDamaged, err)
			}
			profile, err := io.ReadAll(io.LimitReader(r, maxProfile+1))
			if err != nil {
				return nil, fmt.Errorf("%w: %w", icc.ErrDamaged, err)
			}
			return checkProfileSize(profile)
		}
	case JPEG:
		var parts [256][]byte
		count := 0
		for marker, body := range jpegSegments(data) {
			part, ok := bytes.CutPrefix(body, []byte(iccPrefix))
			if marker != jpegAPP2 || !ok || len(part) < 2 {
				continue
			}
			if n := int(part[1]); count == 0 {
				count = n
			} else if n != count {
				return nil, cut
			}
			if parts[part[0]] != nil {
				return nil, fmt.Errorf("%w: part %d is there twice", icc.ErrDamaged, part[0])
			}
			parts[part[0]] = part[2:]
		}
		var profile []byte
		for _, part := range parts[min(1, count):][:count] {
			if part == nil {
				return nil, cut
			}
			profile = append(profile, part...)
		}
		return checkProfileSize(profile)
	case WebP:
		for id, body := range webpChunks(data) {
			if id == "ICCP" {
				return checkProfileSize(bytes.Clone(body))
			}
		}
	}
	return nil, nil
}

func checkProfileSize(profile []byte) ([]byte, error) {
	if len(profile) > maxProfile {
		return nil, fmt.Errorf("%w: it has more than %d bytes", icc.ErrUnsupported, maxProfile)
	}
	return profile, nil
}

// appendProfile appends the chunk or segments that hold a profile. name is for a PNG.
func appendProfile(out []byte, format Format, profile []byte) ([]byte, error) {
	if format == PNG {
		var b bytes.Buffer
		b.WriteString("ICC Profile\x00\x00")
		z := zlib.NewWriter(&b)
		if _, err := z.Write(profile); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		return appendPNGChunk(out, "iCCP", b.Bytes()), nil
	}
	const room = jpegSegmentMax - len(iccPrefix) - 2
	count := (len(profile) + room - 1) / room
	if count > 255 {
		return nil, fmt.Errorf("a colour profile of %d bytes does not fit into a JPEG", len(profile))
	}
	for i := range count {
		part := profile[i*room : min((i+1)*room, len(profile))]
		head := append([]byte(iccPrefix), byte(i+1), byte(count))
		out = appendJPEGSegment(out, jpegAPP2, append(head, part...))
	}
	return out, nil
}

// applyProfile converts a picture that was decoded to sRGB as its profile asks, and notes in info what
// a result should be stored with. A profile that cannot be used costs a warning, never the picture.
// forGood says that the values are sRGB now and were not.
func applyProfile(img *Image, info *Info, pic image.Image, profile []byte, err error) (forGood bool) {
	warn := func(format string, args ...any) { info.Warnings = append(info.Warnings, fmt.Sprintf(format, args...)) }
	var p *icc.Profile
	if err == nil && profile == nil {
		return false
	}
	if err == nil {
		p, err = icc.Parse(profile)
	}
	cmyk, _ := pic.(*image.CMYK)
	switch {
	case err != nil && (errors.Is(err, icc.ErrDamaged) || profile == nil || cmyk != nil):
		warn("the colour profile is ignored: %v", err)
		return false
	case err != nil:
		warn("the colour profile is kept, but the colours are worked on as if they were sRGB: %v", err)
		info.Profile = profile
		return false
	}
	info.ProfileName = p.Name
	switch {
	case (p.Space == icc.CMYK) != (cmyk != nil) || p.Space == icc.Gray && !info.Gray:
		warn("the colour profile %q is ignored: it is for %s", p.Name, p.Space)
	case cmyk != nil:
		forRows(img, func(y int, row []float32) {
			for x := range img.Width {
				c := cmyk.Pix[y*cmyk.Stride+4*x:]
				rgb := p.ToSRGB([4]float64{float64(c[0]) / 255, float64(c[1]) / 255, float64(c[2]) / 255, float64(c[3]) / 255})
				for k, v := range rgb {
					row[3*x+k] = signed(v)
				}
			}
		})
		return true
	case !p.Invertible():
		convertPixels(img, toSRGB(p, img.Channels))
		warn("the colour profile %q converts by tables, which cannot be undone: the result is in sRGB", p.Name)
		return true
	default:
		info.Profile = profile
		if !p.IsSRGB() {
			convertPixels(img, toSRGB(p, img.Channels))
		}
	}
	return false
}

// writable parses a profile for Write: nil if the values are to be stored as they are.
func writable(profile []byte, channels int) (*icc.Profile, error) {
	p, err := icc.Parse(profile)
	switch {
	case errors.Is(err, icc.ErrUnsupported):
		return nil, nil // Read left the values as they were
	case err != nil:
		return nil, err
	case !p.Invertible() || p.Space == icc.Gray && channels != 1:
		return nil, fmt.Errorf("the colour profile %q is not for writing a picture of %d channels", p.Name, channels)
	case p.IsSRGB():
		return nil, nil
	}
	return p, nil
}

// ProfileFits says whether a picture of this number of channels can be written with the profile: a
// grey profile is only for a grey picture.
func ProfileFits(profile []byte, channels int) bool {
	_, err := writable(profile, channels)
	return profile != nil && err == nil
}

// Clip limits an image, in place, to the colours that a file with this ICC profile can hold: to
// [-1,1] if profile is nil or that of sRGB. It fails if ProfileFits does not hold.
func Clip(m *Image, profile []byte) error {
	var p *icc.Profile
	if profile != nil {
		var err error
		if p, err = writable(profile, m.Channels); err != nil {
			return fmt.Errorf("imageio: %w", err)
		}
	}
	if p != nil {
		back, to := fromSRGB(p, m.Channels), toSRGB(p, m.Channels)
		convertPixels(m, func(v [3]float64) [3]float64 { return to(back(v)) })
		return nil
	}
	for i, v := range m.Pix {
		m.Pix[i] = max(-1, min(1, v))
	}
	return nil
}

// toSRGB and fromSRGB convert one pixel with values in [0,1], of which a grey image has the first.
func toSRGB(p *icc.Profile, channels int) func([3]float64) [3]float64 {
	if channels == 1 && p.Space == icc.RGB {
		return func(v [3]float64) [3]float64 { return [3]float64{p.Neutral(v[0])} }
	}
	return func(v [3]float64) [3]float64 { return p.ToSRGB([4]float64{v[0], v[1], v[2]}) }
}

func fromSRGB(p *icc.Profile, channels int) func([3]float64) [3]float64 {
	if channels == 1 && p.Space == icc.RGB {
		return func(v [3]float64) [3]float64 { return [3]float64{p.FromNeutral(v[0])} }
	}
	return p.FromSRGB
}

// convertPixels replaces each pixel.
func convertPixels(m *Image, f func([3]float64) [3]float64) {
	forRows(m, func(_ int, row []float32) {
		for px := row; len(px) >= m.Channels && len(px) > 0; px = px[m.Channels:] {
			var v [3]float64
			for c := range m.Channels {
				v[c] = (float64(px[c]) + 1) / 2
			}
			v = f(v)
			for c := range m.Channels {
				px[c] = signed(v[c])
			}
		}
	})
}

// signed maps [0,1] to [-1,1].
func signed(v float64) float32 { return float32(2*v - 1) }

// forRows calls f for each row of the image, several at a time.
func forRows(m *Image, f func(y int, row []float32)) {
	n := m.Width * m.Channels
	workers := min(runtime.GOMAXPROCS(0), m.Height)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for y := w * m.Height / workers; y < (w+1)*m.Height/workers; y++ {
				f(y, m.Pix[y*n:][:n])
			}
		})
	}
	wait.Wait()
}

// appendJPEGSegment appends a segment whose body has at most jpegSegmentMax bytes.
func appendJPEGSegment(out []byte, marker byte, body []byte) []byte {
	out = append(out, 0xff, marker)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
	return append(out, body...)
}
