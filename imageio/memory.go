package imageio

import (
	"image"
	"image/color"
)

// decodingBytes is about what decoding a file takes at most beside the file: the decoder's picture with what
// it needs for that, the image and its opacity, and both once more where they have to be turned upright. They are
// counted together, since the garbage collector decides when the first ones go.
func decodingBytes(format Format, data []byte, c image.Config) int {
	decoded, channels, opacity := 4, 3, 0
	switch format {
	case PNG:
		depth, colourType := pngHeader(data)
		interlaced, transparent := false, colourType&4 != 0
		for id, body := range pngChunks(data) {
			transparent = transparent || id == "tRNS"
			if id == "IHDR" && len(body) == 13 {
				interlaced = body[12] != 0
			}
			if id == "IDAT" {
				break
			}
		}
		if grey := colourType&2 == 0; grey && !transparent {
			decoded, channels = 1, 1
		} else if grey {
			channels = 3 + 1 // of which the first one is taken
		}
		if colourType == 3 {
			decoded = 1
		}
		if depth == 16 {
			decoded *= 2
		}
		if interlaced { // by passes
			decoded *= 2
		}
		if transparent {
			opacity = 1
		}
	case JPEG:
		planes := 3
		switch c.ColorModel {
		case color.GrayModel:
			planes, decoded, channels = 1, 1, 1
		case color.YCbCrModel:
			decoded = 3
		case color.CMYKModel: // from three planes and one, and fromColours leaves two small values a pixel
			planes, decoded = 4, 3+1+4+8
		default: // RGB, from three planes
			decoded = 3 + 4
		}
		for marker := range jpegSegments(data) {
			if marker == jpegSOF2 { // progressive: all coefficients, of four bytes
				decoded += 4 * planes
			}
		}
	case WebP: // colours or planes, and opacity before it is found to be needless
		decoded, opacity = 12, 1
	}
	values := channels + opacity
	if exifOrientation(findEXIF(format, data)) > 1 {
		values *= 2
	}
	return c.Width * c.Height * (decoded + 4*values)
}
