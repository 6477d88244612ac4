package main

import (
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
)

// resumeCommand is the command line with --resume, for a shell. Variables that change the result stand
// before it if they are set.
func (c *console) resumeCommand() string {
	return resumeCommand(runtime.GOOS == "windows", os.Getenv, os.Args[0], c.args)
}

func resumeCommand(windows bool, getenv func(string) string, program string, args []string) string {
	var words []string
	for _, name := range []string{"SPGD_ISA", cpu.EnvConvolution} {
		if value := getenv(name); value != "" && !windows {
			words = append(words, name+"="+quote(value, false))
		}
	}
	words = append(words, quote(program, windows))
	args = slices.Clone(args)
	end := len(args)
	if i := slices.Index(args, "--"); i >= 0 {
		end = i
	}
	flags := slices.DeleteFunc(args[:end:end], func(a string) bool { return a == "--resume" || strings.HasPrefix(a, "--resume=") })
	at := slices.IndexFunc(flags, func(a string) bool { return !strings.HasPrefix(a, "-") }) + 1 // behind the command
	for _, a := range slices.Concat(flags[:at], []string{"--resume"}, flags[at:], args[end:]) {
		words = append(words, quote(a, windows))
	}
	return strings.Join(words, " ")
}

// quote writes a word for a POSIX shell or for the command lines of Windows, where quotes cannot stand in
// the names of files.
func quote(word string, windows bool) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,+@%", r) || windows && r == '\\'
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	if windows {
		return `"` + word + `"`
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
