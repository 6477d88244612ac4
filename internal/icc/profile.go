// Package icc converts colours between the encoding that an ICC profile describes and sRGB.
//
// Profiles made of curves and a matrix (RGB) or one curve (grey) are converted both ways. Profiles
// made of tables (RGB and CMYK: lut8Type, lut16Type and lutAToBType) are converted to sRGB only.
// Versions 2 and 4 are read (ICC.1:2022). The intent is media-relative colorimetric for matrices and
// the profile's perceptual table, as photographs want; black points are not moved.
package icc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Sentinel errors of this package.
var (
	// ErrDamaged: the bytes are not a sound profile.
	ErrDamaged = errors.New("icc: damaged profile")
	// ErrUnsupported: a sound profile of a kind that is not read.
	ErrUnsupported = errors.New("icc: unsupported profile")
)

// Space is a colour space of the device side of a profile.
type Space string

// The colour spaces that are read.
const (
	RGB  Space = "RGB"
	Gray Space = "GRAY"
	CMYK Space = "CMYK"
)

// Channels is the number of device values of a colour.
func (s Space) Channels() int {
	switch s {
	case RGB:
		return 3
	case Gray:
		return 1
	case CMYK:
		return 4
	}
	return 0
}

// Profile is a profile that was read. It is not changed by its use.
type Profile struct {
	Space Space
	Name  string // as the profile calls itself, printable and at most 80 characters; may be empty

	curves []*curve // RGB: 3, grey: 1; nil if table is set
	toPCS  matrix   // RGB: linear device values to XYZ
	toRGB  matrix   // RGB: linear device values to linear sRGB
	back   matrix   // RGB: linear sRGB to linear device values
	table  *table
}

// Invertible says whether FromSRGB can be used.
func (p *Profile) Invertible() bool { return p.table == nil }

const (
	headerSize = 128
	maxName    = 80
)

// Parse reads a profile. The errors wrap ErrDamaged or ErrUnsupported. What it allocates is bounded
// by a small multiple of the profile's length.
func Parse(data []byte) (*Profile, error) {
	if len(data) < headerSize+4 || string(data[36:40]) != "acsp" {
		return nil, fmt.Errorf("%w: it has no header", ErrDamaged)
	}
	if size := binary.BigEndian.Uint32(data); uint64(size) > uint64(len(data)) {
		return nil, fmt.Errorf("%w: it should have %d bytes and has %d", ErrDamaged, size, len(data))
	}
	if v := data[8]; v < 2 || v > 4 {
		return nil, fmt.Errorf("%w: version %d", ErrUnsupported, v)
	}
	switch class := string(data[12:16]); class {
	case "scnr", "mntr", "prtr", "spac":
	default:
		return nil, fmt.Errorf("%w: class %q", ErrUnsupported, class)
	}
	tags, err := readTags(data)
	if err != nil {
		return nil, err
	}
	p := &Profile{Name: name(tags["desc"])}
	pcs := string(data[20:24])
	if pcs != "XYZ " && pcs != "Lab " {
		return nil, fmt.Errorf("%w: connection space %q", ErrUnsupported, pcs)
	}
	switch space := string(data[16:20]); space {
	case "RGB ":
		p.Space = RGB
		if tags["rXYZ"] != nil && tags["rTRC"] != nil && pcs == "XYZ " {
			err = p.readMatrix(tags)
		} else {
			err = p.readTable(tags, pcs)
		}
	case "GRAY":
		p.Space = Gray
		err = p.readGray(tags)
	case "CMYK":
		p.Space = CMYK
		err = p.readTable(tags, pcs)
	default:
		return nil, fmt.Errorf("%w: colour space %q", ErrUnsupported, space)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// readTags returns the content of every tag that is wanted, which lies inside data.
func readTags(data []byte) (map[string][]byte, error) {
	n := uint64(binary.BigEndian.Uint32(data[headerSize:]))
	if entries := data[headerSize+4:]; n > uint64(len(entries)/12) {
		return nil, fmt.Errorf("%w: it has no room for %d tags", ErrDamaged, n)
	}
	tags := map[string][]byte{}
	for i := range int(n) {
		e := data[headerSize+4+12*i:]
		switch id := string(e[:4]); id {
		case "desc", "rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC", "kTRC", "A2B0", "A2B1":
			offset, size := uint64(binary.BigEndian.Uint32(e[4:])), uint64(binary.BigEndian.Uint32(e[8:]))
			if offset+size > uint64(len(data)) || size < 8 {
				return nil, fmt.Errorf("%w: tag %s lies outside of it", ErrDamaged, id)
			}
			tags[id] = data[offset : offset+size]
		}
	}
	return tags, nil
}

func (p *Profile) readMatrix(tags map[string][]byte) error {
	for c, id := range []string{"r", "g", "b"} {
		t := tags[id+"XYZ"]
		if len(t) < 20 || string(t[:4]) != "XYZ " {
			return fmt.Errorf("%w: tag %sXYZ is missing or cut", ErrDamaged, id)
		}
		for i := range 3 {
			p.toPCS[i][c] = fixed(t[8+4*i:])
		}
		curve, _, err := readCurve(tags[id+"TRC"])
		if err != nil {
			return fmt.Errorf("tag %sTRC: %w", id, err)
		}
		if !curve.increasing() {
			return fmt.Errorf("%w: tag %sTRC does not increase", ErrUnsupported, id)
		}
		p.curves = append(p.curves, curve)
	}
	p.toRGB = xyzToSRGB.times(p.toPCS)
	var ok bool
	if p.back, ok = p.toRGB.inverse(); !ok {
		return fmt.Errorf("%w: its colorants do not span a space", ErrDamaged)
	}
	return nil
}

func (p *Profile) readGray(tags map[string][]byte) error {
	if tags["kTRC"] == nil {
		return fmt.Errorf("%w: a grey profile without a curve", ErrUnsupported)
	}
	c, _, err := readCurve(tags["kTRC"])
	if err != nil {
		return fmt.Errorf("tag kTRC: %w", err)
	}
	if !c.increasing() {
		return fmt.Errorf("%w: tag kTRC does not increase", ErrUnsupported)
	}
	p.curves = []*curve{c}
	return nil
}

// fixed is an s15Fixed16Number.
func fixed(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) / 65536 }

// name reads a description: textDescriptionType of version 2 or multiLocalizedUnicodeType, of which
// the first record counts.
func name(t []byte) string {
	var s string
	switch {
	case len(t) >= 12 && string(t[:4]) == "desc":
		n := min(uint64(binary.BigEndian.Uint32(t[8:])), uint64(len(t)-12))
		s, _, _ = strings.Cut(string(t[12:12+n]), "\x00")
	case len(t) >= 28 && string(t[:4]) == "mluc" && binary.BigEndian.Uint32(t[8:]) > 0:
		n, offset := uint64(binary.BigEndian.Uint32(t[20:])), uint64(binary.BigEndian.Uint32(t[24:]))
		if offset+n <= uint64(len(t)) {
			var units []uint16
			for b := t[offset : offset+min(n, 4*maxName)]; len(b) >= 2; b = b[2:] {
				units = append(units, binary.BigEndian.Uint16(b))
			}
			s = string(utf16.Decode(units))
		}
	}
	var b strings.Builder
	count := 0
	for _, r := range s {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar && count < maxName {
			b.WriteRune(r)
			count++
		}
	}
	return strings.TrimSpace(b.String())
}
