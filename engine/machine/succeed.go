package machine

// Succeed makes the compiled form of a pattern go on with what another form of it has
// remembered in the shard: both remember the same (plan.Rule.Memory), so that their runs
// wait in the same rooms.
func (x *Context) Succeed(old, by *Pattern) {
	s := x.lines[old]
	if s == nil || old == by {
		return
	}
	delete(x.lines, old)
	s.l = by.line
	x.lines[by] = s
}

// Leave forgets what a pattern that is gone, and whose keys are released, has in the shard.
func (x *Context) Leave(p *Pattern) { delete(x.lines, p) }
