package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// Size of the drawing and of the room for its axes, in its own units.
const (
	curveWidth, curveHeight = 720, 320
	curveLeft, curveBottom  = 70, 40
)

// curve draws heap and resident memory over events as SVG.
func curve(samples []sample) []byte {
	resident, heap := plotLine{name: "resident"}, plotLine{name: "heap after collection"}
	for i := range samples {
		x := float64(samples[i].events) / 1e6
		resident.points = append(resident.points, plotPoint{x, residentOf(&samples[i]) / (1 << 20)})
		heap.points = append(heap.points, plotPoint{x, heapOf(&samples[i]) / (1 << 20)})
	}
	return overEvents("MB", heap, resident)
}

// overEvents draws lines over millions of events as SVG, both axes from zero.
func overEvents(unit string, lines ...plotLine) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", curveWidth, curveHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", curveWidth, curveHeight)
	d := drawing{to: &b, unit: unit}
	for _, l := range lines {
		for _, at := range l.points {
			d.events, d.top = max(d.events, at.x), max(d.top, 1.1*at.y)
		}
	}
	if d.events > 0 && d.top > 0 {
		d.axes()
		for i, l := range lines {
			d.line(l, []string{"#1f5fc0", "#c0561f", "#2f8f4f"}[i%3])
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// drawing has the greatest values of both axes.
type drawing struct {
	to          *bytes.Buffer
	unit        string
	events, top float64
}

func (d *drawing) x(events float64) float64 {
	return curveLeft + events/d.events*(curveWidth-curveLeft-20)
}

func (d *drawing) y(value float64) float64 {
	return curveHeight - curveBottom - value/d.top*(curveHeight-curveBottom-20)
}

// axes draws a line and a label for each quarter of both axes.
func (d *drawing) axes() {
	for quarter := range 5 {
		events, value := d.events*float64(quarter)/4, d.top*float64(quarter)/4
		fmt.Fprintf(d.to, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dddddd"/>`+"\n", curveLeft, curveWidth-20, d.y(value), d.y(value))
		fmt.Fprintf(d.to, `<text x="%d" y="%.1f" text-anchor="end">%.0f %s</text>`+"\n", curveLeft-5, d.y(value)+4, value, d.unit)
		fmt.Fprintf(d.to, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", d.x(events), curveHeight-curveBottom+16, strconv.FormatFloat(events, 'g', 3, 64))
	}
	fmt.Fprintf(d.to, `<text x="%d" y="%d" text-anchor="middle">million events</text>`+"\n", curveWidth/2, curveHeight-6)
}

// line draws one curve and its name at the end.
func (d *drawing) line(l plotLine, colour string) {
	if len(l.points) == 0 {
		return
	}
	fmt.Fprintf(d.to, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, colour)
	for _, at := range l.points {
		fmt.Fprintf(d.to, "%.1f,%.1f ", d.x(at.x), d.y(at.y))
	}
	last := l.points[len(l.points)-1]
	fmt.Fprintf(d.to, `"/>`+"\n"+`<text x="%d" y="%.1f" text-anchor="end" fill="%s">%s</text>`+"\n", curveWidth-20, d.y(last.y)-6, colour, l.name)
}
