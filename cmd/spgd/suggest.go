package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// didYouMean is "; did you mean X?" for the name nearest to word, or nothing if none is near.
func didYouMean(word string, names []string) string {
	best, distance := "", len(word)/3+2
	for _, n := range names {
		d := editDistance(strings.ToLower(word), n)
		if word != "" && strings.HasPrefix(n, word) {
			d = min(d, 1)
		}
		if d < distance {
			best, distance = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// editDistance is the number of insertions, deletions and substitutions between two words
// (Levenshtein 1966).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// choice is the value of a flag that takes one of a few names.
type choice struct {
	value *string
	kind  string // what the names are, for messages
	names []string
}

// addChoice adds such a flag. The usage text gets the names appended.
func addChoice(f *pflag.FlagSet, value *string, name, kind, initial, usage string, names []string) {
	*value = initial
	f.Var(&choice{value, kind, names}, name, usage+": "+strings.Join(names, ", "))
}

func (c *choice) String() string { return *c.value }
func (c *choice) Type() string   { return "name" }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.names, s) {
		return fmt.Errorf("unknown %s %q (it is one of %s)%s", c.kind, s, strings.Join(c.names, ", "), didYouMean(s, c.names))
	}
	*c.value = s
	return nil
}

// flagError words the errors of the flag parser.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return usagef("unknown flag -%s; see %s --help", name, cmd.CommandPath())
		}
		hint := didYouMean("--"+name, names)
		if hint == "" {
			hint = fmt.Sprintf("; see %s --help", cmd.CommandPath())
		}
		return usagef("unknown flag --%s%s", name, hint)
	case errors.As(err, &invalid):
		f, number := invalid.GetFlag(), (*strconv.NumError)(nil)
		if !errors.As(invalid.Unwrap(), &number) {
			return usagef("--%s: %w", f.Name, invalid.Unwrap())
		}
		want := "a number"
		switch f.Value.Type() {
		case "bool":
			want = "true or false"
		case "int":
			want = "a whole number"
		case "uint64":
			want = "a whole number from 0 to 18446744073709551615"
		}
		return usagef("--%s: %q is not %s", f.Name, invalid.GetValue(), want)
	}
	return as(errUsage, err)
}
