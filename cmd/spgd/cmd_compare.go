package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/report"
)

// compareOptions are the flags of compare.
type compareOptions struct {
	engineOptions
	weights []string
}

// AddFlags adds them.
func (o *compareOptions) AddFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	addLPIPS(f, &o.weights)
	o.engineOptions.AddFlags(f)
}

func newCompareCommand(c *console) *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Print how alike two images are: PSNR, SSIM and others",
		Long: fmt.Sprintf(`Print measures of how alike two images of the same size are: the peak signal-to-noise
ratio (in dB), SSIM, MS-SSIM (from %d pixels on), HaarPSI and MDSI and, given its weights,
LPIPS. Larger is better, but for MDSI and LPIPS. Opacity is not compared. A grey image is
compared with a colour image as three equal channels. The order of the images matters to
MDSI alone, which takes A for the original.

With --json: {"psnr": DB, "ssim": NUMBER, "ms_ssim": NUMBER, "haarpsi": NUMBER, "mdsi":
NUMBER, "lpips": NUMBER} with those that there are; the PSNR of identical images is "inf".

`, metric.MinMSSSIM) + exitStatusHelp(exitInput, exitCheckpoint, exitMemory, exitOutput, exitInterrupted),
		Example: "  spgd compare photo.png restored.png",
		Args:    exactArgs(2, "two images"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCompare(cmd.Context(), c, &o, args[0], args[1])
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

func runCompare(ctx context.Context, c *console, o *compareOptions, a, b string) error {
	first, err := readPicture(a)
	if err != nil {
		return err
	}
	second, err := readPicture(b)
	if err != nil {
		return err
	}
	measures := metric.Measures()
	if len(o.weights) > 0 {
		e, err := o.start()
		if err != nil {
			return err
		}
		defer e.Close()
		m, _, release, err := lpipsMeasure(e, o.weights)
		if err != nil {
			return err
		}
		defer release()
		measures = append(measures, m)
	}
	values := map[string]report.Number{} // the JSON form of the result
	var text strings.Builder
	for _, m := range measures {
		if err := ctx.Err(); err != nil {
			return err
		}
		v, err := m.Of(first.Image, second.Image)
		if errors.Is(err, metric.ErrSize) && m.Name == "ms-ssim" {
			continue
		}
		if err != nil {
			return err
		}
		values[strings.ReplaceAll(m.Name, "-", "_")] = report.Number(v)
		if m.Unit != "" {
			fmt.Fprintf(&text, "%s %.2f %s\n", m.Title, v, m.Unit)
		} else {
			fmt.Fprintf(&text, "%s %.4f\n", m.Title, v)
		}
	}
	if c.json {
		return c.printJSON(values)
	}
	return c.printf("%s", text.String())
}
