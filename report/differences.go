package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Differences lists in what two runs differ that decides about their results: program, engine,
// prior, settings and files, but not what came out. Each is a sentence without its end, such as
// `engine.isa is "avx2" here and "avx512" in out.png`, where here is the run itself and name the
// other's. Runs without differences give the same bytes.
func (r *Run) Differences(other *Run, name string) ([]string, error) {
	a, err := r.causes()
	if err != nil {
		return nil, err
	}
	b, err := other.causes()
	if err != nil {
		return nil, err
	}
	all := maps.Clone(a)
	maps.Copy(all, b)
	var list []string
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if a[field] != b[field] {
			list = append(list, fmt.Sprintf("%s is %s here and %s in %s", field, orNothing(a[field]), orNothing(b[field]), name))
		}
	}
	return list, nil
}

func orNothing(value string) string {
	if value == "" {
		return "not set"
	}
	return value
}

// causes are the fields of the compact form that are settled before the work starts, by their names
// in JSON joined with dots.
func (r *Run) causes() (map[string]string, error) {
	c := *r
	c.Cost, c.Spread, c.Starts, c.DataFit, c.Warnings = nil, nil, nil, nil, nil
	text, err := c.Compact()
	if err != nil {
		return nil, err
	}
	var tree map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	flat := map[string]string{}
	for field, value := range tree {
		var inner map[string]json.RawMessage
		if json.Unmarshal(value, &inner) != nil { // no object
			flat[field] = string(value)
			continue
		}
		for name, v := range inner {
			flat[field+"."+name] = string(v)
		}
	}
	return flat, nil
}

// SettingsHash is a SHA-256, in hexadecimal, of everything that decides about the result: what
// Differences compares. Runs with the same hash give the same bytes.
func (r *Run) SettingsHash() (string, error) {
	causes, err := r.causes()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(causes) // with sorted keys
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
