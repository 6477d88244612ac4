package main

import (
	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/metric/lpips"
	"github.com/seed-0f004ec9/spgd/report"
)

// addLPIPS adds the flag for the weights of LPIPS.
func addLPIPS(f *pflag.FlagSet, files *[]string) {
	f.StringArrayVar(files, "lpips", nil, "`FILE` with the weights of LPIPS: a network (torchvision's VGG-16, AlexNet or SqueezeNet 1.1),\n"+
		"its linear heads, or both; may be given several times")
}

// lpipsMeasure makes a measure of LPIPS's weights, on an engine that computes in float32. id names
// the network and the files' content.
func lpipsMeasure(e *engine.Engine, files []string) (m metric.Measure, id string, release func(), err error) {
	network, err := lpips.Load(files...)
	if err != nil {
		return m, "", nil, as(errCheckpoint, err)
	}
	id = "lpips:" + network.Name()
	for _, path := range files {
		hash, err := report.HashFile(path)
		if err != nil {
			return m, "", nil, as(errCheckpoint, err)
		}
		id += ":" + hash
	}
	meter, err := network.Meter(e)
	if err != nil {
		return m, "", nil, err
	}
	m = metric.Measure{Name: "lpips", Title: "LPIPS (" + network.Name() + ")", Lower: true, Of: meter.Distance}
	return m, id, meter.Close, nil
}
