use fdgr::kernel::{*, gradient::*};
use fdgr::noise::*;
use std::time::Instant;
fn main(){
  let d = fdgr::device::open("software").unwrap().device;
  let x = Seeded::new(1, Stream::Sampling).draw([1,3,256,256], &d);
  let dv = Derivatives::new(256,256,&d);
  let p = Penalty{alpha:0.2,sigma_g:0.8};
  let t = |name:&str, f: &mut dyn FnMut()| { f(); d.sync().unwrap(); let b=Instant::now(); for _ in 0..20 { f(); d.sync().unwrap(); } println!("{name}: {:.2} ms", b.elapsed().as_secs_f64()*50.0); };
  t("nothing", &mut || {});
  t("mul", &mut || { let _ = x.clone()*x.clone(); });
  t("gradient", &mut || { let _ = dv.gradient(x.clone()); });
  t("divergence", &mut || { let _ = dv.divergence([x.clone(),x.clone()]); });
  t("weight", &mut || { let _ = joint_weight(x.clone(),x.clone(),1.0,p); });
  t("spatial", &mut || { let _ = spatial(x.clone(),1.0,p); });
  for axis in [2,3] { let n=256; let f = LineFilter::new(axis, &vec![Default::default(); n], &d);
  t(&format!("filter {axis}"), &mut || { let _ = f.apply(x.clone()); }); }
  let f = Fft2::new(256,256,&d);
  let s = f.forward(x.clone());
  t("fwd", &mut || { let _ = f.forward(x.clone()); });
  t("inv", &mut || { let _ = f.inverse(s.clone()); });
}
