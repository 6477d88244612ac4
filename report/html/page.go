// Package html writes reports as web pages: one file that asks for nothing else, with its pictures,
// style and script inside, for a screen of any width, light or dark, and for paper. One page type
// serves every command; [Restoration] makes the page of a restored picture.
//
// Nothing that comes from outside, such as a file's name, can become markup: html/template escapes
// it, and the page's Content-Security-Policy admits only the script and the style that are part of
// this package.
package html

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/seed-0f004ec9/spgd/report/plot"
)

// Page is a report. Empty parts are left out.
type Page struct {
	Kind     string // what the report is about, above the title
	Title    string
	Subtitle string
	Facts    []Fact
	Warnings []string
	Sections []Section
	Footer   string
	Wide     bool // three plots beside one another where there is room
}

// Fact is a number that the reader should see first.
type Fact struct{ Name, Value, Note string }

// Section is a part of a page: a title, an explanation and any of the others, in this order.
type Section struct {
	Title, Text string
	Compare     *Compare
	Map         *Map
	Images      []Figure
	Plots       []*plot.Plot
	Table       *Table
	Settings    []Group
}

// Figure is an image with its caption.
type Figure struct {
	Image
	Caption string
}

// Compare shows two pictures of the same thing on top of one another, with a boundary that pointer
// and keyboard move.
type Compare struct {
	Before, After         Image
	BeforeName, AfterName string
	Caption               string
}

// Table is a table of text. All columns are set as numbers, to the right, but for the first if First
// says that it holds words. A collapsed one shows its title until it is opened.
type Table struct {
	Title     string
	Head      []string
	Rows      [][]string
	First     bool
	Collapsed bool
}

// Group is a list of settings under a heading.
type Group struct {
	Name  string
	Items []Fact
}

//go:embed page.css
var style string

//go:embed page.js
var script string

//go:embed page.html
var markup string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"svg":   svg,
	"words": func(t *Table, column int) bool { return t.First && column == 0 },
}).Parse(markup))

// Write writes the page. Equal pages give equal bytes.
func (p *Page) Write(w io.Writer) error {
	var b bytes.Buffer
	err := page.Execute(&b, struct {
		*Page
		Policy string
		Style  template.CSS
		Script template.JS
	}{p, policy(), template.CSS(style), template.JS(script)})
	if err != nil {
		return fmt.Errorf("html: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("html: cannot write: %w", err)
	}
	return nil
}

// policy is the Content-Security-Policy: nothing but this style, this script and images that are
// part of the page.
func policy() string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; img-src data:; style-src " + hash(style) + "; script-src " + hash(script) + "; base-uri 'none'; form-action 'none'"
}

// svg is a plot as markup. Package plot escapes its texts.
func svg(p *plot.Plot) (template.HTML, error) {
	var b bytes.Buffer
	if err := p.SVG(&b); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil
}
