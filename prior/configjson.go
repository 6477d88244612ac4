package prior

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// ParseConfig reads the JSON object that a checkpoint carries in its metadata: the arguments of
// guided-diffusion's create_model_and_diffusion, by name. image_size, num_channels, num_res_blocks
// and channel_mult are required; what else is missing has guided-diffusion's default. A key that
// is not known is an error, because it may name a network this is not; keys that concern training
// only are accepted. Errors are ErrConfig.
func ParseConfig(text string) (Config, error) {
	c, err := parseConfig(text)
	if err != nil {
		return Config{}, fmt.Errorf("prior: %w", err)
	}
	return c, nil
}

func parseConfig(text string) (Config, error) {
	bad := func(format string, args ...any) (Config, error) { return Config{}, badConfig(format, args...) }
	dec := json.NewDecoder(strings.NewReader(text))
	var fields map[string]json.RawMessage
	if err := dec.Decode(&fields); err != nil {
		return bad("the configuration is not a JSON object: %v", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return bad("the configuration has text after the JSON object")
	}
	c := Config{InChannels: 3, UseScaleShiftNorm: true, ConvResample: true}
	var outChannels int
	readers := c.readers(&outChannels)
	// In order of name, so that of several errors it is always the same one that is reported.
	for _, key := range sortedKeys(fields) {
		read, known := readers[key]
		if !known {
			return bad("unknown key %q", key)
		}
		value := fields[key]
		if bytes.Equal(value, []byte("null")) {
			continue // Python's None: the default
		}
		if err := read(value); err != nil {
			return bad("%s: %v", key, err)
		}
	}
	for _, key := range []string{"channel_mult", "image_size", "num_channels", "num_res_blocks"} {
		if v, ok := fields[key]; !ok || bytes.Equal(v, []byte("null")) {
			return bad("%s is missing", key)
		}
	}
	c.OutChannels = outChannels
	if outChannels == 0 {
		c.OutChannels = c.InChannels
		if c.LearnSigma {
			c.OutChannels *= 2
		}
	}
	return c, c.validate()
}

// readers returns what to do with the value of each known key.
func (c *Config) readers(outChannels *int) map[string]func(json.RawMessage) error {
	into := func(dst any) func(json.RawMessage) error {
		return func(v json.RawMessage) error { return json.Unmarshal(v, dst) }
	}
	// In guided-diffusion -1 stands for "not given".
	optional := func(dst *int) func(json.RawMessage) error {
		return func(v json.RawMessage) error {
			err := json.Unmarshal(v, dst)
			if *dst == -1 {
				*dst = 0
			}
			return err
		}
	}
	ignore := func(json.RawMessage) error { return nil }
	must := func(want string) func(json.RawMessage) error {
		return func(v json.RawMessage) error {
			if string(v) != want {
				return fmt.Errorf("%s is not supported, only %s", v, want)
			}
			return nil
		}
	}
	return map[string]func(json.RawMessage) error{
		"image_size":              into(&c.ImageSize),
		"in_channels":             into(&c.InChannels),
		"out_channels":            into(outChannels),
		"num_channels":            into(&c.NumChannels),
		"num_res_blocks":          into(&c.NumResBlocks),
		"channel_mult":            func(v json.RawMessage) error { return readList(v, &c.ChannelMult) },
		"attention_resolutions":   func(v json.RawMessage) error { return readList(v, &c.AttentionResolutions) },
		"num_heads":               optional(&c.NumHeads),
		"num_heads_upsample":      optional(&c.NumHeadsUpsample),
		"num_head_channels":       optional(&c.NumHeadChannels),
		"use_scale_shift_norm":    into(&c.UseScaleShiftNorm),
		"resblock_updown":         into(&c.ResblockUpdown),
		"conv_resample":           into(&c.ConvResample),
		"use_new_attention_order": into(&c.UseNewAttentionOrder),
		"learn_sigma":             into(&c.LearnSigma),
		"dims":                    must("2"),
		"class_cond":              must("false"),
		"predict_xstart":          must("false"),
		"noise_schedule":          must(`"linear"`), // the discrete form of the VP schedule used here
		"middle_attention":        ignore,           // a remark: the weights themselves say it
		"dropout":                 ignore,
		"use_checkpoint":          ignore,
		"use_fp16":                ignore,
		"use_kl":                  ignore,
		"diffusion_steps":         ignore,
		"timestep_respacing":      ignore,
		"rescale_timesteps":       ignore,
		"rescale_learned_sigmas":  ignore,
	}
}

// readList reads numbers from a JSON list or from a string with commas between them, the two
// forms in use: [32,16] and "32,16". An empty string is an empty list.
func readList[T int | float64](v json.RawMessage, dst *[]T) error {
	var text string
	if json.Unmarshal(v, &text) != nil {
		return json.Unmarshal(v, dst)
	}
	*dst = nil
	if strings.TrimSpace(text) == "" {
		return nil
	}
	for _, word := range strings.Split(text, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
		if err != nil || x != float64(T(x)) {
			return fmt.Errorf("%q in %q is not a number of the right kind", word, text)
		}
		*dst = append(*dst, T(x))
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
