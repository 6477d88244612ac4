package metric

import "github.com/seed-0f004ec9/spgd/imageio"

// Measure is a way to compare an image with its reference, for tables.
type Measure struct {
	// Name is in lower case, such as "ms-ssim"; Title is for headings, such as "MS-SSIM".
	Name, Title string
	// Unit follows the values, as in "dB"; most have none.
	Unit string
	// Lower says that lower values are better.
	Lower bool
	// Of compares an image with its reference.
	Of func(reference, image *imageio.Image) (float64, error)
}

// Measures lists the measures that need no network.
func Measures() []Measure {
	return []Measure{
		{Name: "psnr", Title: "PSNR", Unit: "dB", Of: PSNR},
		{Name: "ssim", Title: "SSIM", Of: SSIM},
		{Name: "ms-ssim", Title: "MS-SSIM", Of: MSSSIM},
		{Name: "haarpsi", Title: "HaarPSI", Of: HaarPSI},
		{Name: "mdsi", Title: "MDSI", Lower: true, Of: MDSI},
	}
}
