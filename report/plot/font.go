package plot

import (
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// typefaces parses the Go fonts, which PNG text is drawn with and legends are measured with.
var typefaces = sync.OnceValues(func() (regular, bold *opentype.Font) {
	return mustParse(goregular.TTF), mustParse(gobold.TTF)
})

// mustParse panics if a font that is part of the program is damaged.
func mustParse(ttf []byte) *opentype.Font {
	f, err := opentype.Parse(ttf)
	if err != nil {
		panic(err)
	}
	return f
}

// face returns a typeface in a size in pixels.
func face(bold bool, size float64) font.Face {
	f, b := typefaces()
	if bold {
		f = b
	}
	made, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		panic(err) // only of options out of range
	}
	return made
}

// regularFace is for measuring text, in units of a hundredth of its size.
var regularFace = sync.OnceValue(func() font.Face { return face(false, 100) })

// measuring guards regularFace, which keeps a buffer.
var measuring sync.Mutex

// textWidth is the width of a text of the given size.
func textWidth(s string, size float64) float64 {
	measuring.Lock()
	defer measuring.Unlock()
	return float64(font.MeasureString(regularFace(), s)) / 64 * size / 100
}
