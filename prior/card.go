package prior

import "fmt"

// Card says what a prior that comes with the program is and what it was trained on.
type Card struct {
	Name         string  `json:"name"`
	File         string  `json:"file"`     // its place in the source repository
	Embedded     bool    `json:"embedded"` // part of the program: Load takes its name
	Parameters   int     `json:"parameters"`
	GFLOP        float64 `json:"gflop_256x256"` // work of one forward pass over one 256x256 image
	SizeMultiple int     `json:"size_multiple"` // divides the sides of the images it takes
	Model        string  `json:"model"`
	Training     string  `json:"training"`
	Quality      string  `json:"quality"`
	Limits       string  `json:"limits"`
	Licence      string  `json:"licence"`
}

// List returns the cards of the priors that come with the program.
func List() []Card {
	return []Card{
		naturalCard("natural-small", true, naturalSmall(), 128, 15, [3]float64{36.10, 28.57, 20.81}),
		naturalCard("natural-medium", false, naturalMedium(), 64, 18, [3]float64{36.23, 28.70, 20.89}),
	}
}

func card(name string) *Card {
	for _, c := range List() {
		if c.Name == name {
			return &c
		}
	}
	return nil
}

// The configurations as in the files' metadata, for the cards alone: a file is loaded by its own.
func naturalSmall() Config  { return natural(32, 1, 2, 3, 4, 4) }
func naturalMedium() Config { return natural(64, 1, 1, 2, 3, 4) }

func natural(channels int, mult ...float64) Config {
	return Config{
		ImageSize: 128, InChannels: 3, OutChannels: 3, NumChannels: channels,
		NumResBlocks: 1, ChannelMult: mult, NumHeadChannels: 64,
		UseScaleShiftNorm: true, ResblockUpdown: true, ConvResample: true,
	}
}

func naturalCard(name string, embedded bool, c Config, batch, minutes int, psnr [3]float64) Card {
	return Card{
		Name: name, File: "priors/" + name + ".safetensors", Embedded: embedded,
		Parameters: c.Parameters(), GFLOP: c.GFLOP(256, 256), SizeMultiple: c.SizeMultiple(),
		Model: "guided-diffusion UNet for natural photographs, RGB in [-1,1]; predicts the noise; " +
			"continuous variance-preserving schedule, beta 0.1 to 20, timestep input 999 t",
		Training: fmt.Sprintf("128x128 crops of 15,956 photographs at 160x160 (Imagenette, one photograph of each ImageNet class, "+
			"BSDS500 train); AdamW, cosine decay, batch %d, EMA 0.9998, bfloat16, %d minutes on one H100", batch, minutes),
		Quality: fmt.Sprintf("one-step denoising at sigma 0.077, 0.34 and 2.0: %.2f, %.2f and %.2f dB PSNR", psnr[0], psnr[1], psnr[2]),
		Limits: "knows texture and edges, not faces or layouts: it saw crops, not scenes, and is weak above sigma 10. " +
			"Convolutional at every level, so an image of any size goes through whole",
		Licence: "Apache-2.0, as the program. The training photographs are third-party research sets and are not redistributed",
	}
}
