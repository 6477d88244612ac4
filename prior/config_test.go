package prior

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// required is the least that a configuration must say, without the closing brace.
const required = `{"image_size": 64, "num_channels": 32, "num_res_blocks": 1, "channel_mult": "1,2"`

func TestParseConfig(t *testing.T) {
	want := Config{
		ImageSize: 64, InChannels: 3, OutChannels: 3, NumChannels: 32, NumResBlocks: 1,
		ChannelMult: []float64{1, 2}, NumHeads: 4, UseScaleShiftNorm: true, ConvResample: true,
	}
	change := func(f func(*Config)) Config {
		c := want
		f(&c)
		return c
	}
	for _, tt := range []struct {
		more string
		want Config
	}{
		{`, "num_heads": 4}`, want},
		{`, "num_heads": 4, "attention_resolutions": []}`, change(func(c *Config) { c.AttentionResolutions = []int{} })},
		{`, "num_heads": 4, "attention_resolutions": ""}`, want},
		{`, "num_heads": 4, "attention_resolutions": [32, 16]}`, change(func(c *Config) { c.AttentionResolutions = []int{32, 16} })},
		{`, "num_heads": 4, "attention_resolutions": "32, 16"}`, change(func(c *Config) { c.AttentionResolutions = []int{32, 16} })},
		{`, "num_heads": 4, "channel_mult": [1, 1.5, 2], "num_channels": 64}`, change(func(c *Config) {
			c.ChannelMult, c.NumChannels = []float64{1, 1.5, 2}, 64
		})},
		{`, "num_heads": 4, "num_head_channels": -1, "num_heads_upsample": -1}`, want},
		{`, "num_heads": 4, "num_head_channels": 16, "num_heads_upsample": 8}`, change(func(c *Config) {
			c.NumHeadChannels, c.NumHeadsUpsample = 16, 8
		})},
		{`, "num_heads": 4, "learn_sigma": true}`, change(func(c *Config) { c.LearnSigma, c.OutChannels = true, 6 })},
		{`, "num_heads": 4, "in_channels": 1}`, change(func(c *Config) { c.InChannels, c.OutChannels = 1, 1 })},
		{`, "num_heads": 4, "resblock_updown": true, "use_scale_shift_norm": false, "conv_resample": false, "use_new_attention_order": true}`,
			change(func(c *Config) {
				c.ResblockUpdown, c.UseScaleShiftNorm, c.ConvResample, c.UseNewAttentionOrder = true, false, false, true
			})},
		{`, "num_heads": 4, "class_cond": false, "dims": 2, "noise_schedule": "linear", "dropout": 0.1, "use_fp16": true, "num_heads_upsample": null}`, want},
	} {
		got, err := ParseConfig(required + tt.more)
		if err != nil {
			t.Errorf("%s: %v", tt.more, err)
		} else if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.more, got, tt.want)
		}
	}
}

func TestParseConfigErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`[]`, "not a JSON object"},
		{`{`, "not a JSON object"},
		{`{} {}`, "after the JSON object"},
		{`{}`, "channel_mult is missing"},
		{`{"image_size": 64, "channel_mult": "1", "num_res_blocks": 1}`, "num_channels is missing"},
		{required + `}`, "neither num_heads nor num_head_channels"},
		{required + `, "num_heads": 4, "use_linear_attention": true}`, `unknown key "use_linear_attention"`},
		{required + `, "num_heads": 4, "class_cond": true}`, "class_cond: true is not supported"},
		{required + `, "num_heads": 4, "dims": 3}`, "dims: 3 is not supported"},
		{required + `, "num_heads": 4, "predict_xstart": true}`, "predict_xstart"},
		{required + `, "num_heads": 4, "noise_schedule": "cosine"}`, "noise_schedule"},
		{required + `, "num_heads": "four"}`, "num_heads: "},
		{required + `, "num_heads": -2}`, "is -2"},
		{required + `, "num_heads": 5}`, "no multiple of 5 heads"},
		{required + `, "num_head_channels": 48}`, "num_head_channels 48"},
		{required + `, "num_heads": 4, "num_heads_upsample": 7}`, "no multiple of 7 heads"},
		{required + `, "num_heads": 4, "channel_mult": "1,x"}`, "channel_mult: "},
		{required + `, "num_heads": 4, "channel_mult": "1,nan"}`, "channel_mult: "},
		{required + `, "num_heads": 4, "channel_mult": "1,inf"}`, "channel_mult[1] is +Inf"},
		{required + `, "num_heads": 4, "channel_mult": []}`, "channel_mult levels is 0"},
		{required + `, "num_heads": 4, "channel_mult": "1,0.5"}`, "makes 16 channels, want a multiple of 32"},
		{required + `, "num_heads": 4, "channel_mult": "1,-1"}`, "channel_mult[1] is -1"},
		{required + `, "num_heads": 4, "attention_resolutions": "7"}`, "holds 7"},
		{required + `, "num_heads": 4, "attention_resolutions": "1.5"}`, "attention_resolutions: "},
		{required + `, "num_heads": 4, "attention_resolutions": [0]}`, "holds 0"},
		{required + `, "num_heads": 4, "num_res_blocks": 1000000}`, "num_res_blocks is 1000000"},
		{required + `, "num_heads": 4, "num_channels": 0}`, "num_channels is 0"},
		{required + `, "num_heads": 4, "num_channels": 33, "channel_mult": [32]}`, "want an even number"},
		{required + `, "num_heads": 4, "out_channels": 6}`, "out_channels is 6, want 3"},
		{required + `, "num_heads": 4, "num_channels": null}`, "num_channels is missing"},
	} {
		_, err := ParseConfig(tt.text)
		if err == nil || !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want an ErrConfig with %q", tt.text, err, tt.want)
		}
	}
}

// TestNetworks checks the presets against facts that were not derived from this code: the
// published checkpoints' numbers of parameters and tensors, and the FFHQ network's work, which is
// on record as 386 GFLOP.
func TestNetworks(t *testing.T) {
	for _, tt := range []struct {
		name                string
		parameters, tensors int
	}{
		{"ffhq256", 93563910, 362},
		{"imagenet256", 552814086, 566},
	} {
		c, err := Network(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
		if got := c.Parameters(); got != tt.parameters {
			t.Errorf("%s: %d parameters, want %d", tt.name, got, tt.parameters)
		}
		if got := len(c.Tensors()); got != tt.tensors {
			t.Errorf("%s: %d tensors, want %d", tt.name, got, tt.tensors)
		}
		if c.SizeMultiple() != 32 {
			t.Errorf("%s: size multiple %d, want 32", tt.name, c.SizeMultiple())
		}
	}
	c, _ := Network("ffhq256")
	if got := c.GFLOP(256, 256); math.Abs(got/386-1) > 0.01 {
		t.Errorf("ffhq256: %.1f GFLOP, want about 386", got)
	}
	if _, err := Network("ffhq512"); err == nil || !strings.Contains(err.Error(), "imagenet256") {
		t.Errorf("an unknown network: error %v, want one that lists the known ones", err)
	}
}

// TestCards compares what the cards say with the files themselves and with their documentation.
func TestCards(t *testing.T) {
	gflop := map[string]float64{"natural-small": 50, "natural-medium": 103}
	millions := map[string]string{"natural-small": "6.2", "natural-medium": "17.2"}
	for _, card := range List() {
		path := filepath.Join("..", filepath.FromSlash(card.File))
		if _, err := os.Stat(path); err != nil {
			t.Fatal(err)
		}
		spec := path
		if card.Embedded {
			spec = card.Name
		}
		m, err := Load(spec, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c := m.Config()
		if c.AttentionResolutions != nil && len(c.AttentionResolutions) == 0 {
			c.AttentionResolutions = nil
		}
		if want := map[string]Config{"natural-small": naturalSmall(), "natural-medium": naturalMedium()}[card.Name]; !reflect.DeepEqual(c, want) {
			t.Errorf("%s: the file says %+v, the card %+v", card.Name, c, want)
		}
		if got := fmt.Sprintf("%.1f", float64(card.Parameters)/1e6); got != millions[card.Name] {
			t.Errorf("%s: %s million parameters, want %s", card.Name, got, millions[card.Name])
		}
		if math.Abs(card.GFLOP-gflop[card.Name]) > 0.5 {
			t.Errorf("%s: %.2f GFLOP, want %.0f", card.Name, card.GFLOP, gflop[card.Name])
		}
		if card.SizeMultiple != 16 {
			t.Errorf("%s: size multiple %d, want 16", card.Name, card.SizeMultiple)
		}
	}
}
