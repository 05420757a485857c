//! Charts as SVG, on a white ground of their own, so that they can be read on light and dark pages.

use std::path::Path;

use bench_load::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Bars side by side: one group for each name, one colour for each series.
pub(crate) struct Bars<'a> {
    pub(crate) title: &'a str,
    pub(crate) axis: &'a str,
    pub(crate) series: Vec<String>,
    /// Name, and a value for each series where there is one.
    pub(crate) groups: Vec<(String, Vec<Option<f64>>)>,
    pub(crate) digits: usize,
}

/// Curves over a logarithmic axis.
pub(crate) struct Curves<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    pub(crate) curves: Vec<(String, Vec<(f64, f64)>)>,
}

/// Colours that differ in brightness too, for those who see few of them; none is lost on white.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 90, 181),
    RGBColor(220, 80, 50),
    RGBColor(20, 130, 100),
    RGBColor(120, 70, 150),
    RGBColor(230, 159, 0),
    RGBColor(86, 160, 210),
    RGBColor(110, 110, 110),
    RGBColor(160, 60, 90),
];

const INK: RGBColor = RGBColor(30, 30, 30);
const GRID: RGBColor = RGBColor(215, 215, 215);
const WIDTH: i32 = 860;

impl Bars<'_> {
    /// Draws it into a file.
    pub(crate) fn draw(&self, path: &Path) -> Result<()> {
        let bar = 15;
        let step = bar * self.series.len() as i32 + 14;
        let (left, top, right) = (190, 84, 70);
        let bottom = top + step * self.groups.len() as i32;
        let height = bottom + 62;
        let root = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        let values = self
            .groups
            .iter()
            .flat_map(|(_, values)| values.iter().flatten());
        let most = values.copied().fold(0.0, f64::max).max(1e-9);
        let tick = round_step(most / 5.0);
        let end = (most / tick).ceil() * tick;
        let scale = f64::from(WIDTH - left - right) / end;
        let place = |value: f64| left + (value * scale) as i32;

        root.draw_text(self.title, &style(18, HPos::Left), (20, 12))?;
        for (index, name) in self.series.iter().enumerate() {
            let x = 20 + 205 * index as i32;
            root.draw(&Rectangle::new(
                [(x, 48), (x + 12, 60)],
                COLOURS[index % 8].filled(),
            ))?;
            root.draw_text(name, &style(13, HPos::Left), (x + 18, 47))?;
        }
        let mut value = 0.0;
        while value <= end + tick / 2.0 {
            let x = place(value);
            root.draw(&PathElement::new([(x, top - 6), (x, bottom)], GRID))?;
            root.draw_text(
                &number(value, tick),
                &style(12, HPos::Center),
                (x, bottom + 6),
            )?;
            value += tick;
        }
        root.draw_text(
            self.axis,
            &style(13, HPos::Center),
            ((left + WIDTH - right) / 2, bottom + 30),
        )?;
        for (row, (name, values)) in self.groups.iter().enumerate() {
            let y = top + step * row as i32;
            let middle = y + (step - 14) / 2 - 8;
            root.draw_text(name, &style(13, HPos::Right), (left - 10, middle))?;
            for (index, value) in values.iter().enumerate() {
                let Some(value) = value else { continue };
                let y = y + bar * index as i32;
                let shape = [(left, y), (place(*value), y + bar - 2)];
                root.draw(&Rectangle::new(shape, COLOURS[index % 8].filled()))?;
                let text = format!("{value:.*}", self.digits);
                root.draw_text(&text, &style(11, HPos::Left), (place(*value) + 5, y))?;
            }
        }
        root.draw(&PathElement::new([(left, top - 6), (left, bottom)], INK))?;
        root.present()?;
        Ok(())
    }
}

impl Curves<'_> {
    /// Draws it into a file.
    pub(crate) fn draw(&self, path: &Path) -> Result<()> {
        let root = SVGBackend::new(path, (WIDTH as u32, 420)).into_drawing_area();
        root.fill(&WHITE)?;
        let points = || {
            self.curves
                .iter()
                .flat_map(|(_, points)| points.iter().copied())
        };
        let least = |axis: fn((f64, f64)) -> f64| points().map(axis).fold(f64::MAX, f64::min);
        let most = |axis: fn((f64, f64)) -> f64| points().map(axis).fold(0.0, f64::max);
        let (left, right) = (least(|point| point.0), most(|point| point.0));
        let (low, high) = (least(|point| point.1) / 1.6, most(|point| point.1) * 1.6);
        // Where no curve is.
        let ends = self
            .curves
            .first()
            .and_then(|(_, points)| points.first().zip(points.last()));
        let falls = ends.is_some_and(|(first, last)| first.1 > last.1);
        let mut chart = ChartBuilder::on(&root)
            .caption(self.title, style(18, HPos::Center))
            .margin(16)
            .margin_right(30)
            .x_label_area_size(48)
            .y_label_area_size(76)
            .build_cartesian_2d((left..right).log_scale(), (low..high).log_scale())?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|value| count(*value))
            .y_label_formatter(&|value| count(*value))
            .bold_line_style(GRID)
            .light_line_style(WHITE)
            .axis_style(INK)
            .axis_desc_style(style(14, HPos::Center))
            .label_style(style(12, HPos::Center))
            .draw()?;
        for (index, (name, points)) in self.curves.iter().enumerate() {
            let colour = COLOURS[index % 8];
            chart
                .draw_series(LineSeries::new(
                    points.iter().copied(),
                    colour.stroke_width(2),
                ))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
                });
            let dots = points
                .iter()
                .map(|point| Circle::new(*point, 3, colour.filled()));
            chart.draw_series(dots)?;
        }
        chart
            .configure_series_labels()
            .position(if falls {
                SeriesLabelPosition::UpperRight
            } else {
                SeriesLabelPosition::UpperLeft
            })
            .background_style(WHITE)
            .border_style(GRID)
            .label_font(style(13, HPos::Left))
            .draw()?;
        root.present()?;
        Ok(())
    }
}

fn style(size: i32, horizontal: HPos) -> TextStyle<'static> {
    let font = FontDesc::new(FontFamily::SansSerif, f64::from(size), FontStyle::Normal);
    font.color(&INK).pos(Pos::new(horizontal, VPos::Top))
}

/// 1, 2 or 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|factor| factor * power >= step);
    factor.unwrap_or(10.0) * power
}

fn number(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).max(0.0) as usize;
    format!("{value:.digits$}")
}

/// A number with a suffix of thousands, as axes of many decades want it.
fn count(value: f64) -> String {
    match value {
        value if value >= 1e9 => format!("{}G", value / 1e9),
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e4 => format!("{}k", value / 1e3),
        value if value >= 1.0 => format!("{value:.0}"),
        value => format!("{value}"),
    }
}
