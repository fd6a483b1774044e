package predicate
import ("testing";"strings";"time";"github.com/cepheus-cep/cepheus/event")
func TestZZ(t *testing.T){
 r:=strings.Repeat
 for _,x:=range []string{
  r("sum(",199)+"xs"+r(")",199), r("first(",199)+"small"+r(")",199), r("small[",199)+"1"+r("]",199),
  r("sum(filter(",99)+"xs"+r(",true))",99), r("a.",2000)+"b", r("xs[",199)+"0"+r("]",199), r("a+",5000)+"a", r("amount+",5000)+"1",
  r("zz+",4000)+"a", r("not ",199)+"x", r("-",199)+"amount", r("(let a=1;",190)+"a"+r(")",190), r("max(amount,",190)+"1"+r(")",190),
  r("1**",4000)+"1", r("ok?1:",4000)+"1", r("\"${",190)+"1"+r("}\"",190), r("last(small[",99)+"1"+r("])",99), r("(let a=small[",90)+"1"+r("];a)",90),
  r("sum(sum(",99)+"zz"+r("))",99), r("max(sum(small.amount)+",99)+"zz"+r(")",99), r("1<",4900)+"1", r("[",200)+r("]",200), r("count(small[",99)+"1"+r("])",99),
  r("ok and ",8000)+"ok", r("amount == ",3000)+"1",
 } {
  s,_:=inPattern(); t0:=time.Now()
  _,errs:=Compile(span(x),s,event.Nil)
  d:=time.Since(t0); if d>30*time.Millisecond { m:=""; if len(errs)>0 {m=errs[0].Message}; t.Logf("%v %.30q len %d errs %d %s",d,x,len(x),len(errs),m)}
 }
}
