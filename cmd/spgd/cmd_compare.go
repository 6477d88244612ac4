package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/report"
)

func newCompareCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "compare A B",
		Short: "Print PSNR and SSIM between two images",
		Long: `Print the peak signal-to-noise ratio (in dB) and the structural similarity of two images
of the same size, over all colour channels and on the data range [0,1]. Opacity is not
compared. A grey image is compared with a colour image as three equal channels. The
order of the images does not matter.

With --json: {"psnr": DB, "ssim": NUMBER}; the PSNR of identical images is "inf".

` + exitStatusHelp(exitInput, exitOutput, exitInterrupted),
		Example: "  spgd compare photo.png restored.png",
		Args:    exactArgs(2, "two images"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCompare(cmd.Context(), c, args[0], args[1])
		},
	}
}

// comparison is the JSON form of the result.
type comparison struct {
	PSNR report.Number `json:"psnr"`
	SSIM report.Number `json:"ssim"`
}

func runCompare(ctx context.Context, c *console, a, b string) error {
	first, err := readPicture(a)
	if err != nil {
		return err
	}
	second, err := readPicture(b)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	psnr, err := metric.PSNR(first.Image, second.Image)
	if err != nil {
		return err
	}
	ssim, err := metric.SSIM(first.Image, second.Image)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(comparison{report.Number(psnr), report.Number(ssim)})
	}
	return c.printf("PSNR %.2f dB\nSSIM %.4f\n", psnr, ssim)
}
