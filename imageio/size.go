package imageio

import (
	"bufio"
	"fmt"
	"os"
)

// ReadSize returns the height and width of the picture in a file, in pixels as stored: the EXIF
// orientation is not applied. Only the beginning of the file is read, so that a file of which it
// returns the size may still be damaged further on. Its errors are those of Read.
func ReadSize(path string) (height, width int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, fmt.Errorf("imageio: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return 0, 0, fmt.Errorf("imageio: %s is a directory, not an image", path)
	}
	b := bufio.NewReader(f)
	head, _ := b.Peek(sniffBytes) // a file that is shorter is refused below
	format, err := sniff(head)
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %s %w", ErrFormat, path, err)
	}
	config, _ := codecs(format)
	c, err := config(b)
	if err != nil {
		return 0, 0, damaged(path, format, err)
	}
	return c.Height, c.Width, checkSize(path, c, MaxPixels)
}
