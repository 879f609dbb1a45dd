//go:build ignore

// Recipe of gob-values.txt: `go run gob-values.go > gob-values.txt`, with Go 1.26.8, standard library only.
//
// Each line is `name hex`: one gob stream of its own, of one or more values. Go counts types over the whole process, so
// the order of the lines is part of the capture: a line's types are numbered after those of the lines before it.
package main

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"time"
)

type Scalars struct {
	Yes   bool
	Small int8
	Big   int64
	Count uint32
	Ratio float64
	Wave  complex128
	Raw   []byte
	Text  string
	Point *int
	Zero  int
}

type Inner struct{ Name string }

type Containers struct {
	Names   []string
	Labels  map[string]int
	Fixed   [3]uint16
	Inners  []Inner
	ByName  map[string]*Inner
	Matrix  [][]float64
	Empty   map[string]string
	Held    Inner
	Pointed *Inner
	Nothing *Inner
}

type Tree struct {
	Value int
	Left  *Tree
	Right *Tree
}

type Box struct {
	Before  string
	Content any
	After   string
}

type Times struct {
	At   time.Time
	Also *time.Time
	Not  time.Time
}

func line(name string, values ...any) {
	var out bytes.Buffer
	encoder := gob.NewEncoder(&out)
	for _, value := range values {
		if err := encoder.Encode(value); err != nil {
			panic(err)
		}
	}
	fmt.Printf("%s %x\n", name, out.Bytes())
}

func main() {
	gob.RegisterName("pkg.Inner", Inner{})
	gob.RegisterName("pkg.Box", Box{})
	gob.RegisterName("pkg.Deep", map[string]Containers{})
	seven := 7
	noon := time.Date(2026, 1, 2, 12, 0, 0, 500, time.UTC)
	elsewhere := time.Date(2026, 1, 2, 12, 0, 0, 0, time.FixedZone("x", 3*3600+17))

	line("scalars", Scalars{true, -5, -1 << 63, 1 << 31, 17.25, complex(1, -2), []byte{0, 255}, "grüß", &seven, 0}, Scalars{})
	line("singles", -129, uint(300), "x", []byte("y"), 2.5, complex(0, 1), false)
	line("containers", Containers{
		Names: []string{"a", ""}, Labels: map[string]int{"one": 1}, Fixed: [3]uint16{1, 0, 3}, Inners: []Inner{{"i"}, {}},
		ByName: map[string]*Inner{"p": {"q"}}, Matrix: [][]float64{{1}, {}}, Empty: map[string]string{}, Held: Inner{},
		Pointed: &Inner{},
	}, Containers{})
	line("slice", []string{"s"})
	line("tree", Tree{1, &Tree{2, nil, &Tree{Value: 3}}, nil})
	var content any = Inner{"top"}
	line("interfaces",
		&content,
		Box{"a", Inner{"in"}, "b"},
		Box{"a", Box{"c", Box{"e", []string{"deep"}, "f"}, "d"}, "b"},
		Box{"a", nil, "b"},
		[]any{"text", 5, nil, Inner{"x"}},
		Box{"m", map[string]Containers{"k": {Names: []string{"n"}}}, ""},
	)
	line("times", Times{At: noon, Also: &elsewhere})
}
