package sampler

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestSettingsValidate(t *testing.T) {
	for _, preset := range []string{"default", "draft", "paper", "released"} {
		s, err := Preset(preset)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(); !errors.Is(err, ErrSettings) {
			t.Errorf("%s without a step size: %v, want ErrSettings", preset, err)
		}
		s.StepSize = 1
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
	}
	if _, err := Preset("fast"); !errors.Is(err, ErrSettings) {
		t.Errorf("unknown preset: %v, want ErrSettings", err)
	}

	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name   string // what the message has to name
		change func(s *Settings)
	}{
		{"0 steps", func(s *Settings) { s.Steps = 0 }},
		{"-1 warm-up", func(s *Settings) { s.Warmup = -1 }},
		{"beta is 1", func(s *Settings) { s.Beta = 1 }},
		{"beta is -0.1", func(s *Settings) { s.Beta = -0.1 }},
		{"beta is NaN", func(s *Settings) { s.Beta = nan }},
		{"sigma_min is 0", func(s *Settings) { s.SigmaMin = 0 }},
		{"sigma_min is NaN", func(s *Settings) { s.SigmaMin = nan }},
		{"at most 1000000", func(s *Settings) { s.Steps = MaxSteps + 1 }},
		{"warm-up steps, want at most", func(s *Settings) { s.Warmup = MaxSteps + 1 }},
		{"sigma_max is 1e+07", func(s *Settings) { s.SigmaMax = 1e7 }},
		{"sigma_max is NaN", func(s *Settings) { s.SigmaMax = nan }},
		{"sigma_max is +Inf", func(s *Settings) { s.SigmaMax = inf }},
		{"sigma_max is 0.05", func(s *Settings) { s.SigmaMax = 0.05 }},
		{"sigma_max is -1", func(s *Settings) { s.SigmaMax = -1 }},
		{"step size is 0", func(s *Settings) { s.StepSize = 0 }},
		{"step size is -2", func(s *Settings) { s.StepSize = -2 }},
		{"step size is NaN", func(s *Settings) { s.StepSize = nan }},
		{"step size is +Inf", func(s *Settings) { s.StepSize = inf }},
		{"ratio is 1.5", func(s *Settings) { s.MinStepRatio = 1.5 }},
		{"ratio is NaN", func(s *Settings) { s.MinStepRatio = nan }},
		{`adm is "both"`, func(s *Settings) { s.ADM = "both" }},
		{`denoise is ""`, func(s *Settings) { s.Denoise = "" }},
	} {
		s := DefaultSettings()
		s.StepSize = 1
		c.change(&s)
		err := s.Validate()
		if !errors.Is(err, ErrSettings) {
			t.Errorf("%s: %v, want ErrSettings", c.name, err)
			continue
		}
		if !strings.Contains(err.Error(), c.name) {
			t.Errorf("message %q does not say %q", err, c.name)
		}
	}
}
