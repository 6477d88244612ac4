package imageio

// orient turns an image stored with the given EXIF orientation upright. The name of each
// orientation in the standard says where the stored row 0 and column 0 are in the upright view.
func orient(m *Image, orientation int) *Image {
	if orientation <= 1 || orientation > 8 {
		return m
	}
	height, width := m.Height, m.Width
	if orientation >= 5 { // transposed
		height, width = width, height
	}
	out := New(height, width, m.Channels)
	for y := range out.Height {
		for x := range out.Width {
			sy, sx := y, x
			switch orientation {
			case 2: // row 0 top, column 0 right: mirrored left to right
				sx = m.Width - 1 - x
			case 3: // bottom, right: turned by 180 degrees
				sy, sx = m.Height-1-y, m.Width-1-x
			case 4: // bottom, left: mirrored top to bottom
				sy = m.Height - 1 - y
			case 5: // left, top: transposed
				sy, sx = x, y
			case 6: // right, top: turn by 90 degrees clockwise
				sy, sx = m.Height-1-x, y
			case 7: // right, bottom: transposed about the other diagonal
				sy, sx = m.Height-1-x, m.Width-1-y
			case 8: // left, bottom: turn by 90 degrees counter-clockwise
				sy, sx = x, m.Width-1-y
			}
			copy(out.Pix[(y*out.Width+x)*m.Channels:][:m.Channels], m.Pix[(sy*m.Width+sx)*m.Channels:])
		}
	}
	return out
}
