package main

import (
	"fmt"
	"time"
)

var sshStart = time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)

type login struct {
	Seq   int       `json:"seq"`
	TS    time.Time `json:"ts"`
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Event string    `json:"event"`
	User  string    `json:"user,omitempty"`
	IP    string    `json:"ip"`
	Port  int       `json:"port,omitempty"`
}

// gate collects the night's log of two hosts.
type gate struct {
	dice
	records []record
	pid     int
}

// ssh makes twelve hours of about 900 events. Planted, each from addresses of its own:
//
//	brute_force  6 addresses: 8 to 40 failed passwords, 1 to 6 seconds apart
//	break_in     2 of them then get in
//	spraying     3 addresses: one attempt for each of 9 to 14 names in 3 minutes
//	root_login   2 logins of root from outside
//	left_open    3 sessions that never end
func ssh(d dice) []record {
	g := &gate{dice: d, pid: 2100}
	for range 300 {
		g.visit(g.between(0, 11*time.Hour))
	}
	for i := range 6 {
		g.bruteForce(fmt.Sprintf("203.0.113.%d", 10+i*7), g.between(10*time.Minute, 11*time.Hour), i < 2)
	}
	for i := range 3 {
		g.spray(fmt.Sprintf("2001:db8::bad:%d", i+1), g.between(10*time.Minute, 11*time.Hour))
	}
	for i := range 2 {
		at := g.between(time.Hour, 11*time.Hour)
		g.session(at, at+g.between(time.Minute, 20*time.Minute), "root", fmt.Sprintf("203.0.113.%d", 200+i))
	}
	for i := range 3 {
		g.session(g.between(10*time.Minute, time.Hour), 0, pick(g.dice, people()), fmt.Sprintf("192.0.2.%d", 201+i))
	}
	for i, r := range inOrder(g.records) {
		r.body.(*login).Seq = i + 1
	}
	return g.records
}

func people() []string {
	return []string{"ada", "bela", "chidi", "dana", "elin", "farid", "greta", "hugo", "ines", "jonas", "kaya", "luis"}
}

func (g *gate) log(at time.Duration, event, user, ip string, port int) {
	host := "gate-1"
	if g.pid%2 == 0 {
		host = "gate-2"
	}
	ts := sshStart.Add(at.Truncate(time.Second))
	g.records = append(g.records, record{at, &login{0, ts, host, g.pid, event, user, ip, port}})
}

func (g *gate) next() (port int) {
	g.pid += 1 + g.IntN(9)
	return 30000 + g.IntN(30000)
}

// visit is a person at work: now and then a typing error, then in, and out again.
func (g *gate) visit(at time.Duration) {
	who := g.IntN(len(people()))
	user, ip := people()[who], fmt.Sprintf("192.0.2.%d", 10+who)
	if g.IntN(6) == 0 {
		g.log(at, "failed_password", user, ip, g.next())
		at += g.between(4*time.Second, 12*time.Second)
	}
	g.session(at, at+g.between(time.Minute, 45*time.Minute), user, ip)
}

// session logs a login at from and its end at to; without to it never ends.
func (g *gate) session(from, to time.Duration, user, ip string) {
	port := g.next()
	g.log(from, "accepted_password", user, ip, port)
	if to > from {
		g.log(to, "disconnected", user, ip, port)
	}
}

func (g *gate) bruteForce(ip string, at time.Duration, succeeds bool) {
	user := pick(g.dice, []string{"root", "admin", "oracle", "deploy"})
	for range 8 + g.IntN(33) {
		g.log(at, "failed_password", user, ip, g.next())
		at += g.between(time.Second, 6*time.Second)
	}
	if succeeds {
		g.session(at, at+g.between(time.Minute, 10*time.Minute), "deploy", ip)
	}
}

func (g *gate) spray(ip string, at time.Duration) {
	for i := range 9 + g.IntN(6) {
		user := fmt.Sprintf("user%02d", i)
		port := g.next()
		g.log(at, "invalid_user", user, ip, 0)
		g.log(at, "failed_password", user, ip, port)
		at += g.between(5*time.Second, 12*time.Second)
	}
}
