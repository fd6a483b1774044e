package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// Size of the drawing and of the room for its axes, in its own units.
const (
	curveWidth, curveHeight = 720, 320
	curveLeft, curveBottom  = 60, 40
)

// curve draws heap and resident memory over events as SVG.
func curve(samples []sample) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", curveWidth, curveHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", curveWidth, curveHeight)
	if len(samples) > 0 {
		d := drawing{to: &b, samples: samples, events: float64(samples[len(samples)-1].events)}
		for i := range samples {
			d.bytes = max(d.bytes, 1.1*heapOf(&samples[i]), 1.1*residentOf(&samples[i]))
		}
		d.axes()
		d.line("resident", "#c0561f", residentOf)
		d.line("heap after collection", "#1f5fc0", heapOf)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// drawing has the greatest values of both axes.
type drawing struct {
	to            *bytes.Buffer
	samples       []sample
	events, bytes float64
}

func (d *drawing) x(events float64) float64 {
	return curveLeft + events/d.events*(curveWidth-curveLeft-20)
}

func (d *drawing) y(bytes float64) float64 {
	return curveHeight - curveBottom - bytes/d.bytes*(curveHeight-curveBottom-20)
}

// axes draws a line and a label for each quarter of both axes.
func (d *drawing) axes() {
	for quarter := range 5 {
		events, bytes := d.events*float64(quarter)/4, d.bytes*float64(quarter)/4
		fmt.Fprintf(d.to, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dddddd"/>`+"\n", curveLeft, curveWidth-20, d.y(bytes), d.y(bytes))
		fmt.Fprintf(d.to, `<text x="%d" y="%.1f" text-anchor="end">%.0f MB</text>`+"\n", curveLeft-5, d.y(bytes)+4, bytes/(1<<20))
		fmt.Fprintf(d.to, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", d.x(events), curveHeight-curveBottom+16, strconv.FormatFloat(events/1e6, 'g', 3, 64))
	}
	fmt.Fprintf(d.to, `<text x="%d" y="%d" text-anchor="middle">million events</text>`+"\n", curveWidth/2, curveHeight-6)
}

// line draws one curve and its name at the end.
func (d *drawing) line(name, colour string, of func(*sample) float64) {
	fmt.Fprintf(d.to, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, colour)
	for i := range d.samples {
		fmt.Fprintf(d.to, "%.1f,%.1f ", d.x(float64(d.samples[i].events)), d.y(of(&d.samples[i])))
	}
	last := &d.samples[len(d.samples)-1]
	fmt.Fprintf(d.to, `"/>`+"\n"+`<text x="%d" y="%.1f" text-anchor="end" fill="%s">%s</text>`+"\n", curveWidth-20, d.y(of(last))-6, colour, name)
}
