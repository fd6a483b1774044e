package main

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// plotLine is one line of a drawing.
type plotLine struct {
	name   string
	points []plotPoint
}

type plotPoint struct{ x, y float64 }

// plotTop is the room above a drawing for its title.
const plotTop = 40

// plot draws lines as SVG: x in powers of ten, y from zero.
func plot(title, unit string, lines []plotLine) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", curveWidth, curveHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", curveWidth, curveHeight)
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="14">%s</text>`+"\n", curveLeft, title)
	if p, ok := frame(lines); ok {
		p.to = &b
		p.axes(unit)
		for i, l := range lines {
			p.line(l, []string{"#1f5fc0", "#c0561f", "#2f8f4f"}[i%3])
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// plotting has the bounds of the axes: x as powers of ten.
type plotting struct {
	to          *bytes.Buffer
	from, until float64
	top         float64
}

// frame finds the bounds; ok is false where there is nothing to draw.
func frame(lines []plotLine) (p plotting, ok bool) {
	p.from, p.until = math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, at := range l.points {
			p.from, p.until = min(p.from, math.Log10(at.x)), max(p.until, math.Log10(at.x))
			p.top = max(p.top, 1.15*at.y)
		}
	}
	if p.top == 0 {
		return p, false
	}
	p.from, p.until = math.Floor(p.from), max(math.Ceil(p.until), math.Floor(p.from)+1)
	return p, true
}

func (p *plotting) x(x float64) float64 {
	return curveLeft + (math.Log10(x)-p.from)/(p.until-p.from)*(curveWidth-curveLeft-40)
}

func (p *plotting) y(y float64) float64 {
	return curveHeight - curveBottom - y/p.top*(curveHeight-curveBottom-plotTop)
}

// axes draws a line and a label for each power of ten, and for each quarter of the height.
func (p *plotting) axes(unit string) {
	for e := p.from; e <= p.until; e++ {
		x := p.x(math.Pow(10, e))
		fmt.Fprintf(p.to, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#eeeeee"/>`+"\n", x, x, plotTop, curveHeight-curveBottom)
		fmt.Fprintf(p.to, `<text x="%.1f" y="%d" text-anchor="middle">%.0f</text>`+"\n", x, curveHeight-curveBottom+16, math.Pow(10, e))
	}
	for quarter := range 5 {
		v := p.top * float64(quarter) / 4
		fmt.Fprintf(p.to, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dddddd"/>`+"\n", curveLeft, curveWidth-40, p.y(v), p.y(v))
		fmt.Fprintf(p.to, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", curveLeft-5, p.y(v)+4, strconv.FormatFloat(v, 'f', 0, 64))
	}
	fmt.Fprintf(p.to, `<text x="%d" y="%d">%s</text>`+"\n", curveLeft, plotTop-4, unit)
}

// line draws one line, its points, and its name at the end.
func (p *plotting) line(l plotLine, colour string) {
	fmt.Fprintf(p.to, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, colour)
	for _, at := range l.points {
		fmt.Fprintf(p.to, "%.1f,%.1f ", p.x(at.x), p.y(at.y))
	}
	p.to.WriteString(`"/>` + "\n")
	for _, at := range l.points {
		fmt.Fprintf(p.to, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", p.x(at.x), p.y(at.y), colour)
	}
	last := l.points[len(l.points)-1]
	fmt.Fprintf(p.to, `<text x="%.1f" y="%.1f" text-anchor="end" fill="%s">%s</text>`+"\n", p.x(last.x)+20, p.y(last.y)-8, colour, l.name)
}
